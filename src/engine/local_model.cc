#include "engine/local_model.h"

#include <exception>
#include <optional>

#include "base/log.h"
#include "engine/checks.h"
#include "engine/signatures.h"

namespace snug::engine {
namespace {

void LogFromPlugin(int32_t level, const char* text) {
  int clamped = level < 0 ? 0 : level > 3 ? 3 : level;
  log::Write(static_cast<log::Level>(clamped), CleanText(text, SNUG_ERROR_TEXT_BYTES));
}

// Calls a plug-in's function; what it throws becomes INTERNAL. `call` names it in texts.
template <typename Function, typename... Args>
Status Call(const char* call, Function function, Args... args) {
  snug_error error;
  error.text[0] = '\0';
  try {
    return PluginStatus(call, function(args..., &error), error);
  } catch (const std::exception& e) {
    return Internal("the engine's {} threw: {}", call, CleanText(e.what(), SNUG_ERROR_TEXT_BYTES));
  } catch (...) {
    return Internal("the engine's {} threw something that is no std::exception", call);
  }
}

template <typename Function, typename Handle>
void CallVoid(const char* call, Function function, Handle handle) {
  try {
    function(handle);
  } catch (...) {
    log::Error("an engine threw while giving something back", {{"call", call}});
  }
}

// A loaded model's handle; instances hold it too, so that it outlives them whatever order the owner destroys
// in.
struct LoadedModel {
  std::shared_ptr<LocalEngine> engine;
  snug_model* handle = nullptr;
  ModelInfo info;

  const snug_engine_api& api() const { return engine->plugin().api(); }
  ~LoadedModel() {
    std::lock_guard lock(engine->mutex());
    if (handle != nullptr) CallVoid("unload", api().unload, handle);
  }
};

class HeapOutputs : public OutputMemory {
 public:
  explicit HeapOutputs(size_t count) : buffers_(count) {}
  void* Allocate(uint32_t index, uint64_t bytes) override {
    buffers_[index] = Buffer::Allocate(bytes);
    return buffers_[index].data();
  }
  std::vector<Tensor> Take(const std::vector<TensorSpec>& specs, const OutputCollector& collector,
                           std::span<const uint8_t> wanted) const {
    std::vector<Tensor> tensors;
    for (uint32_t i = 0; i < specs.size(); ++i) {
      if (!wanted.empty() && wanted[i] == 0) continue;
      tensors.push_back({specs[i].name, specs[i].dtype, collector.outputs()[i].shape, buffers_[i]});
    }
    return tensors;
  }

 private:
  std::vector<Buffer> buffers_;
};

// The outputs of one answer after the other.
class AnswerCollector {
 public:
  AnswerCollector(const std::vector<TensorSpec>& specs, uint64_t bytes_max, std::span<const uint8_t> wanted,
                  const AnswerSink& sink)
      : specs_(specs), bytes_max_(bytes_max), wanted_(wanted), sink_(sink) {
    Begin();
  }

  snug_stream_sink Sink() {
    return {
        sizeof(snug_stream_sink), this,
        [](void* self, uint32_t index, snug_dtype dtype, int32_t rank, const int64_t* dims, uint64_t bytes) {
          snug_output_sink sink = static_cast<AnswerCollector*>(self)->outputs_->Sink();
          return sink.allocate(sink.context, index, dtype, rank, dims, bytes);
        },
        [](void* self) -> int32_t { return static_cast<AnswerCollector*>(self)->Send() ? 1 : 0; }};
  }
  // What became of the whole: a refusal of ours explains a failure better than the engine's own text.
  Status Finish(const Status& from_engine) const {
    if (!refusal_.ok()) return refusal_;
    return stopped_ ? Status(Code::kCancelled, "the client wanted no further answers") : from_engine;
  }

 private:
  void Begin() {
    memory_.emplace(specs_.size());
    outputs_.emplace(specs_, bytes_max_, *memory_);
  }
  // Called by the plug-in: no exception may pass.
  bool Send() noexcept {
    if (stopped_ || !refusal_.ok()) return false;
    try {
      refusal_ = outputs_->Finish({}, wanted_);
      stopped_ = refusal_.ok() && !sink_(memory_->Take(specs_, *outputs_, wanted_));
      Begin();
    } catch (const std::exception& e) {
      refusal_ = Error(Code::kResourceExhausted, "an answer could not be passed on: {}", e.what());
    }
    return refusal_.ok() && !stopped_;
  }

  const std::vector<TensorSpec>& specs_;
  const uint64_t bytes_max_;
  const std::span<const uint8_t> wanted_;
  const AnswerSink& sink_;
  std::optional<HeapOutputs> memory_;
  std::optional<OutputCollector> outputs_;
  Status refusal_;
  bool stopped_ = false;
};

class PluginInstance : public LocalInstance {
 public:
  PluginInstance(std::shared_ptr<LoadedModel> model, ModelInfo info, snug_instance* handle)
      : model_(std::move(model)), info_(std::move(info)), handle_(handle), inputs_(info_.inputs.size()) {}
  ~PluginInstance() override {
    std::lock_guard lock(model_->engine->mutex());
    CallVoid("destroy_instance", model_->api().destroy_instance, handle_);
  }

  Result<std::vector<Tensor>> Execute(std::span<const TensorView> inputs,
                                      std::span<const uint8_t> wanted) override {
    const std::vector<TensorSpec>& specs = info_.outputs;
    HeapOutputs memory(specs.size());
    OutputCollector collector(specs, model_->engine->output_bytes_max(), memory);
    SNUG_RETURN_IF_ERROR(ExecuteInto(inputs, wanted, collector));
    return memory.Take(specs, collector, wanted);
  }

  Status ExecuteStream(std::span<const TensorView> inputs, std::span<const uint8_t> wanted,
                       const AnswerSink& answers) override {
    SNUG_RETURN_IF_ERROR(Fill(inputs, wanted));
    AnswerCollector collector(info_.outputs, model_->engine->output_bytes_max(), wanted, answers);
    const snug_stream_sink sink = collector.Sink();
    return collector.Finish(Execute("execute_stream", model_->api().execute_stream, wanted, &sink));
  }

  Status ExecuteInto(std::span<const TensorView> inputs, std::span<const uint8_t> wanted,
                     OutputCollector& collector) override {
    SNUG_RETURN_IF_ERROR(Fill(inputs, wanted));
    const snug_output_sink sink = collector.Sink();
    return collector.Finish(Execute("execute", model_->api().execute, wanted, &sink), wanted);
  }

 private:
  // `execute` is the plug-in's execute or execute_stream, with its sink.
  template <typename Function, typename Sink>
  Status Execute(const char* call, Function execute, std::span<const uint8_t> wanted, const Sink* sink) {
    const size_t output_count = info_.outputs.size();
    uint8_t all[SNUG_MAX_TENSORS];
    std::fill_n(all, output_count, uint8_t{1});
    return Call(call, execute, handle_, static_cast<const snug_tensor*>(inputs_.data()),
                static_cast<uint32_t>(inputs_.size()), wanted.empty() ? all : wanted.data(),
                static_cast<uint32_t>(output_count), sink);
  }

  Status Fill(std::span<const TensorView> inputs, std::span<const uint8_t> wanted) {
    if (!wanted.empty() && wanted.size() != info_.outputs.size()) {
      return InvalidArgument("expected a choice of {} outputs, got {}", info_.outputs.size(), wanted.size());
    }
    if (inputs.size() != inputs_.size()) {
      return InvalidArgument("expected {} inputs, got {}", inputs_.size(), inputs.size());
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      const TensorView& view = inputs[i];
      inputs_[i] = {info_.inputs[i].name.c_str(),
                    static_cast<snug_dtype>(view.dtype),
                    static_cast<int32_t>(view.shape.size()),
                    view.shape.data(),
                    view.data,
                    view.bytes};
    }
    return {};
  }

  const std::shared_ptr<LoadedModel> model_;
  const ModelInfo info_;  // as the instance's signature shows it
  snug_instance* const handle_;
  std::vector<snug_tensor> inputs_;  // of one Execute at a time
};

class PluginModel : public Model {
 public:
  explicit PluginModel(std::shared_ptr<LoadedModel> model) : model_(std::move(model)) {}
  const ModelInfo& info() const override { return model_->info; }
  Result<std::unique_ptr<Instance>> CreateInstance() override { return CreateSignatureInstance({}); }
  Result<std::unique_ptr<Instance>> CreateSignatureInstance(const std::string& signature) override {
    SNUG_ASSIGN_OR_RETURN(std::unique_ptr<LocalInstance> instance, CreateLocal(signature));
    return std::unique_ptr<Instance>(std::move(instance));
  }
  // An execution may be under way: that it could not be done is no failure.
  void Trim(bool idle) override {
    if (model_->api().trim != nullptr)
      (void)Call("trim", model_->api().trim, model_->handle, static_cast<int32_t>(idle));
  }
  Result<std::unique_ptr<LocalInstance>> CreateLocal(const std::string& signature) {
    SNUG_ASSIGN_OR_RETURN(ModelInfo info, InfoOfSignature(model_->info, signature));
    snug_instance* handle = nullptr;
    {
      std::lock_guard lock(model_->engine->mutex());
      SNUG_RETURN_IF_ERROR(CreateHandle(info.signature == model_->info.signature ? "" : signature, &handle));
    }
    if (handle == nullptr)
      return FailedPrecondition("the engine's create_instance succeeded but gave no instance");
    return std::unique_ptr<LocalInstance>(std::make_unique<PluginInstance>(model_, std::move(info), handle));
  }

 private:
  Status CreateHandle(const std::string& signature, snug_instance** handle) {
    const snug_engine_api& api = model_->api();
    if (signature.empty()) return Call("create_instance", api.create_instance, model_->handle, handle);
    if (api.create_signature_instance == nullptr)
      return FailedPrecondition("the engine reports signatures but lacks create_signature_instance");
    return Call("create_signature_instance", api.create_signature_instance, model_->handle, signature.c_str(),
                handle);
  }

  const std::shared_ptr<LoadedModel> model_;
};

}  // namespace

LocalEngine::LocalEngine(std::shared_ptr<const Plugin> plugin, const LocalEngineOptions& options)
    : plugin_(std::move(plugin)), options_(options) {}

Result<std::shared_ptr<LocalEngine>> LocalEngine::Create(std::shared_ptr<const Plugin> plugin,
                                                         const LocalEngineOptions& options) {
  std::shared_ptr<LocalEngine> engine(new LocalEngine(std::move(plugin), options));
  snug_engine_config config{sizeof config, options.threads, "{}", nullptr, &LogFromPlugin};
  if (!options.cache_dir.empty()) config.cache_dir = options.cache_dir.c_str();
  SNUG_RETURN_IF_ERROR(Call("create", engine->plugin().api().create,
                            static_cast<const snug_engine_config*>(&config), &engine->engine_));
  if (engine->engine_ == nullptr)
    return FailedPrecondition("the engine's create succeeded but gave no engine");
  return engine;
}

LocalEngine::~LocalEngine() {
  if (engine_ != nullptr) CallVoid("destroy", plugin_->api().destroy, engine_);
}

Result<std::unique_ptr<Model>> LocalEngine::Load(const std::string& directory,
                                                 const std::string& options_json) {
  auto model = std::make_shared<LoadedModel>();
  model->engine = shared_from_this();
  snug_model_info report{};
  report.struct_size = sizeof report;
  {
    std::lock_guard lock(mutex_);
    SNUG_RETURN_IF_ERROR(
        Call("load", model->api().load, engine_, directory.c_str(), options_json.c_str(), &model->handle));
    if (model->handle == nullptr) return FailedPrecondition("the engine's load succeeded but gave no model");
  }
  SNUG_RETURN_IF_ERROR(Call("describe", model->api().describe, model->handle, &report));
  SNUG_ASSIGN_OR_RETURN(model->info, CheckModelInfo(report));
  if (model->info.decoupled && model->api().execute_stream == nullptr)
    return FailedPrecondition("the engine reports a decoupled model but lacks execute_stream");
  return std::unique_ptr<Model>(std::make_unique<PluginModel>(std::move(model)));
}

Result<std::unique_ptr<LocalInstance>> CreateLocalInstance(Model& model, const std::string& signature) {
  return static_cast<PluginModel&>(model).CreateLocal(signature);
}

}  // namespace snug::engine
