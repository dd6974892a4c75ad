#include "parsers/parser_host.h"

#include <parser.h>  // api/

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "base/utf8.h"
#include "parsers/plugin.h"
#include "parsers/sinks.h"

namespace snug::parsers {
namespace {

// What a call returned. A parser's own text goes to the client as it is.
Status StatusOf(const std::string& what, snug_code code, const snug_error& error) {
  if (code == SNUG_OK) return {};
  std::string text = CleanText(error.text, sizeof error.text);
  if (text.empty()) text = what + " failed without saying why";
  if (code < 0 || code > static_cast<snug_code>(Code::kUnauthenticated)) {
    return Internal("{} returned {}, which is no code: {}", what, code, text);
  }
  return Status(static_cast<Code>(code), std::move(text));
}

// Calls into a plug-in: its code and text as a Status, its exceptions too.
template <typename Call>
Status CallPlugin(const std::string& what, Call&& call) {
  snug_error error{};
  try {
    return StatusOf(what, call(&error), error);
  } catch (const std::exception& e) {
    return Internal("{} threw: {}", what, CleanText(e.what(), SNUG_ERROR_TEXT_BYTES));
  } catch (...) {
    return Internal("{} threw", what);
  }
}

// For calls that cannot fail: what they throw is dropped, for there is nobody to tell.
template <typename Call>
void CallQuietly(Call&& call) {
  try {
    call();
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

snug_tensor_spec SpecOf(const TensorSpec& spec) {
  return {spec.name.c_str(), static_cast<snug_dtype>(spec.dtype), static_cast<int32_t>(spec.shape.size()),
          spec.shape.data()};
}

std::vector<snug_tensor_spec> SpecsOf(const std::vector<TensorSpec>& specs) {
  std::vector<snug_tensor_spec> result;
  result.reserve(specs.size());
  for (const TensorSpec& spec : specs) result.push_back(SpecOf(spec));
  return result;
}

// A parser of the plug-in with what it was created from, which the contract keeps valid until destroy.
struct Handle {
  Handle(std::shared_ptr<const Plugin> p, ParserRequest r)
      : plugin(std::move(p)),
        request(std::move(r)),
        inputs(SpecsOf(request.inputs)),
        outputs(SpecsOf(request.outputs)) {}
  ~Handle() {
    if (parser != nullptr) CallQuietly([&] { plugin->api().destroy(parser); });
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  std::string Call(const char* function) const {
    return fmt::format("parser \"{}\": {}", request.parser, function);
  }
  Status Create();

  const std::shared_ptr<const Plugin> plugin;
  const ParserRequest request;
  const std::vector<snug_tensor_spec> inputs;
  const std::vector<snug_tensor_spec> outputs;
  snug_parser* parser = nullptr;
};

Status Handle::Create() {
  snug_parser_config config{};
  config.struct_size = sizeof config;
  config.model_name = request.model_name.c_str();
  config.directory = request.directory.c_str();
  config.options_json = request.options_json.c_str();
  config.input_count = static_cast<uint32_t>(inputs.size());
  config.inputs = inputs.data();
  config.output_count = static_cast<uint32_t>(outputs.size());
  config.outputs = outputs.data();
  const std::string what = Call("create");
  SNUG_RETURN_IF_ERROR(
      CallPlugin(what, [&](snug_error* error) { return plugin->api().create(&config, &parser, error); }));
  if (parser == nullptr) return FailedPrecondition("{} succeeded but made no parser", what);
  return {};
}

class RequestImpl : public ParsedRequest {
 public:
  explicit RequestImpl(std::shared_ptr<const Handle> handle) : handle_(std::move(handle)) {}
  ~RequestImpl() override {
    const snug_parser_api& api = handle_->plugin->api();
    if (request_ != nullptr && api.end_request != nullptr) {
      CallQuietly([&] { api.end_request(handle_->parser, request_); });
    }
  }

  Status Parse(const snug_payload& payload);
  const std::vector<Tensor>& inputs() const override { return inputs_; }
  Result<Answer> Format(std::span<const TensorView> outputs) override;

 private:
  Status CheckOutputs(std::span<const TensorView> outputs) const;

  const std::shared_ptr<const Handle> handle_;
  std::vector<Tensor> inputs_;
  snug_request* request_ = nullptr;
};

Status RequestImpl::Parse(const snug_payload& payload) {
  InputSink sink(handle_->request);
  Status status = CallPlugin(handle_->Call("parse"), [&](snug_error* error) {
    return handle_->plugin->api().parse(handle_->parser, &payload, sink.c_sink(), &request_, error);
  });
  SNUG_ASSIGN_OR_RETURN(inputs_, std::move(sink).Finish(status));
  return {};
}

Status RequestImpl::CheckOutputs(std::span<const TensorView> outputs) const {
  const auto& specs = handle_->request.outputs;
  if (outputs.size() != specs.size()) {
    return Internal("{}: expected {} outputs, got {}", handle_->Call("format"), specs.size(), outputs.size());
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    if (outputs[i].dtype != specs[i].dtype || !ShapeFits(outputs[i].shape, specs[i].shape)) {
      return Internal("{}: output \"{}\": expected {} {}, got {} {}", handle_->Call("format"), specs[i].name,
                      DTypeName(specs[i].dtype), ShapeText(specs[i].shape), DTypeName(outputs[i].dtype),
                      ShapeText(outputs[i].shape));
    }
    Status bytes = CheckTensorBytes(specs[i].name, outputs[i].dtype, outputs[i].shape, outputs[i].data,
                                    outputs[i].bytes);
    if (!bytes.ok()) return Internal("{}: {}", handle_->Call("format"), bytes.text());
  }
  return {};
}

Result<Answer> RequestImpl::Format(std::span<const TensorView> outputs) {
  SNUG_RETURN_IF_ERROR(CheckOutputs(outputs));
  std::vector<snug_tensor> tensors;
  tensors.reserve(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const snug_tensor_spec& spec = handle_->outputs[i];
    tensors.push_back(
        {spec.name, spec.dtype, spec.rank, outputs[i].shape.data(), outputs[i].data, outputs[i].bytes});
  }
  AnswerSink sink(handle_->request.parser);
  Status status = CallPlugin(handle_->Call("format"), [&](snug_error* error) {
    return handle_->plugin->api().format(handle_->parser, request_, tensors.data(),
                                         static_cast<uint32_t>(tensors.size()), sink.c_sink(), error);
  });
  return std::move(sink).Finish(status);
}

bool HoldsNul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

// C strings end at a NUL: a text with one inside would reach the plug-in cut.
Result<std::vector<snug_parameter>> ParametersOf(const Payload& payload) {
  std::vector<snug_parameter> parameters;
  if (payload.parameters == nullptr) return parameters;
  if (payload.parameters->size() > kParametersMax) {
    return InvalidArgument("{} parameters, at most {} are taken", payload.parameters->size(), kParametersMax);
  }
  for (const auto& [key, value] : *payload.parameters) {
    if (HoldsNul(key) || HoldsNul(value)) {
      return InvalidArgument("parameter \"{}\" holds a NUL byte", CleanText(key.c_str(), key.size()));
    }
    parameters.push_back({key.c_str(), value.c_str()});
  }
  return parameters;
}

class ParserImpl : public Parser {
 public:
  explicit ParserImpl(std::shared_ptr<const Handle> handle) : handle_(std::move(handle)) {}

  Result<std::unique_ptr<ParsedRequest>> Parse(const Payload& payload) override {
    const std::string content_type(payload.content_type);
    if (HoldsNul(content_type)) return InvalidArgument("the content type holds a NUL byte");
    SNUG_ASSIGN_OR_RETURN(std::vector<snug_parameter> parameters, ParametersOf(payload));
    snug_payload c_payload{};
    c_payload.struct_size = sizeof c_payload;
    c_payload.content_type = content_type.c_str();
    c_payload.data = payload.data.data();
    c_payload.bytes = payload.data.size();
    c_payload.parameters = parameters.data();
    c_payload.parameter_count = static_cast<uint32_t>(parameters.size());
    auto request = std::make_unique<RequestImpl>(handle_);
    SNUG_RETURN_IF_ERROR(request->Parse(c_payload));
    return std::unique_ptr<ParsedRequest>(std::move(request));
  }

 private:
  const std::shared_ptr<const Handle> handle_;
};

class ParserHostImpl : public ParserHost {
 public:
  explicit ParserHostImpl(std::vector<std::string> directories) : directories_(std::move(directories)) {}

  Result<std::unique_ptr<Parser>> CreateParser(const ParserRequest& request) override {
    SNUG_ASSIGN_OR_RETURN(std::string path, FindParser(directories_, request.parser));
    SNUG_ASSIGN_OR_RETURN(std::shared_ptr<const Plugin> plugin, Plugin::Open(path));
    auto handle = std::make_shared<Handle>(std::move(plugin), request);
    SNUG_RETURN_IF_ERROR(handle->Create());
    return std::unique_ptr<Parser>(std::make_unique<ParserImpl>(std::move(handle)));
  }
  std::vector<std::string> Parsers() const override { return ListParsers(directories_); }

 private:
  const std::vector<std::string> directories_;
};

}  // namespace

std::unique_ptr<ParserHost> ParserHost::Create(std::vector<std::string> plugin_dirs) {
  return std::make_unique<ParserHostImpl>(std::move(plugin_dirs));
}

}  // namespace snug::parsers
