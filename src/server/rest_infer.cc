#include "server/rest_infer.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "server/json_reader.h"
#include "server/json_tensor.h"
#include "server/json_writer.h"

namespace snug::server {
namespace {

// Where a tensor starts in a body is the client's choice; engines read memory of this alignment (numpy's) as
// it is, anything else is copied.
constexpr uintptr_t kBorrowAlignment = 16;

struct RestInput {
  Tensor tensor;
  bool has_dtype = false;
  bool has_shape = false;
  bool has_data = false;
  const char* data = nullptr;  // where "data" begins when it came before datatype and shape
  int64_t binary_bytes = -1;   // binary_data_size
  SharedParameters shared;
};

class Decoder {
 public:
  Decoder(const std::shared_ptr<std::string>& body, size_t json_bytes)
      : body_(body), json_(std::string_view(*body).substr(0, json_bytes)), binary_at_(json_bytes) {}

  Result<RestInferRequest> Run() {
    bool has_inputs = false;
    for (json_.BeginObject(); json_.Key(key_);) {
      if (key_ == "id") {
        json_.String(request_.id);
      } else if (key_ == "inputs") {
        has_inputs = true;
        Inputs();
      } else if (key_ == "outputs") {
        Outputs();
      } else if (key_ == "parameters") {
        RequestParameters();
      } else {
        json_.Skip();
      }
    }
    SNUG_RETURN_IF_ERROR(json_.Finish());
    if (!has_inputs) return InvalidArgument("the request has no \"inputs\"");
    if (binary_at_ != body_->size()) {
      return InvalidArgument(
          "{} bytes follow the last binary input; the sizes of all binary_data_size must add up to "
          "the body behind the JSON",
          body_->size() - binary_at_);
    }
    return std::move(request_);
  }

 private:
  void Inputs() {
    for (json_.BeginArray(); json_.Element();) {
      RestInput input;
      if (!Input(input)) return;
      if (request_.inputs.size() == kTensorsMax) {
        json_.Fail(fmt::format("more than {} inputs", kTensorsMax));
        return;
      }
      request_.inputs.push_back(std::move(input.tensor));
    }
  }

  bool Input(RestInput& input) {
    for (json_.BeginObject(); json_.Key(key_);) {
      if (key_ == "name") {
        json_.String(input.tensor.name);
      } else if (key_ == "datatype") {
        Datatype(input);
      } else if (key_ == "shape") {
        ReadShape(input);
      } else if (key_ == "parameters") {
        InputParameters(input);
      } else if (key_ == "data") {
        Data(input);
      } else {
        json_.Skip();
      }
    }
    return json_.ok() && Complete(input);
  }

  void Datatype(RestInput& input) {
    std::string name;
    if (!json_.String(name)) return;
    auto dtype = DTypeFromName(name);
    if (!dtype) {
      json_.Fail(
          fmt::format("unknown datatype \"{}\"; known are BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, "
                      "INT32, INT64, FP16, FP32, FP64, BF16, BYTES",
                      name));
      return;
    }
    input.tensor.dtype = *dtype;
    input.has_dtype = true;
  }

  void ReadShape(RestInput& input) {
    input.tensor.shape.clear();
    if (json_.Peek() != '[') {
      json_.Fail("\"shape\" must be an array of whole numbers");
      return;
    }
    for (json_.BeginArray(); json_.Element();) {
      int64_t dim = 0;
      if (!json_.Int(dim)) return;
      if (dim < 0) json_.Fail(fmt::format("\"shape\" must not hold {}", dim));
      if (input.tensor.shape.size() == kRankMax)
        json_.Fail(fmt::format("\"shape\" has more than {} dimensions", kRankMax));
      input.tensor.shape.push_back(dim);
    }
    input.has_shape = true;
  }

  void InputParameters(RestInput& input) {
    for (json_.BeginObject(); json_.Key(key_);) {
      if (key_ == "binary_data_size") {
        json_.Int(input.binary_bytes);
        if (json_.ok() && input.binary_bytes < 0) json_.Fail("binary_data_size must not be negative");
      } else if (!Shared(input.shared)) {
        json_.Skip();
      }
    }
  }

  // Whether the parameter is one of those of shared memory; then it is read.
  bool Shared(SharedParameters& shared) {
    if (key_ == "shared_memory_region") {
      json_.String(shared.region.emplace());
    } else if (key_ == "shared_memory_offset") {
      json_.Int(shared.offset.emplace());
    } else if (key_ == "shared_memory_byte_size") {
      json_.Int(shared.bytes.emplace());
    } else {
      return false;
    }
    return true;
  }

  void Data(RestInput& input) {
    if (input.has_data) {
      json_.Fail(fmt::format("input \"{}\" has \"data\" twice", input.tensor.name));
      return;
    }
    input.has_data = true;
    if (input.has_dtype && input.has_shape) {
      ReadData(input);
    } else {
      json_.Peek();
      input.data = json_.cursor();
      json_.Skip();
    }
  }

  void ReadData(RestInput& input) {
    auto buffer = ReadJsonTensor(json_, input.tensor.name, input.tensor.dtype, input.tensor.shape);
    if (buffer.ok()) {
      input.tensor.buffer = *std::move(buffer);
    } else if (json_.ok()) {
      json_.Fail(buffer.status().text());
    }
  }

  bool Complete(RestInput& input) {
    const std::string& name = input.tensor.name;
    if (name.empty()) return json_.Fail("an input has no \"name\"");
    if (!input.has_dtype) return json_.Fail(fmt::format("input \"{}\" has no \"datatype\"", name));
    if (!input.has_shape) return json_.Fail(fmt::format("input \"{}\" has no \"shape\"", name));
    auto place = input.shared.Place(name);
    if (!place.ok()) return json_.Fail(place.status().text());
    if (*place) {
      if (input.has_data || input.binary_bytes >= 0)
        return json_.Fail(fmt::format("input \"{}\" has shared memory and \"data\" or binary data", name));
      request_.extras.inputs.emplace_back(request_.inputs.size(), *std::move(*place));
      return true;
    }
    if (input.binary_bytes >= 0) {
      if (input.has_data)
        return json_.Fail(fmt::format("input \"{}\" has both \"data\" and binary_data_size", name));
      return Binary(input);
    }
    if (!input.has_data) {
      return json_.Fail(
          fmt::format("input \"{}\" has neither \"data\" nor parameters.binary_data_size", name));
    }
    if (input.data == nullptr) return json_.ok();
    const char* after = json_.cursor();
    json_.set_cursor(input.data);
    ReadData(input);
    if (json_.ok()) json_.set_cursor(after);
    return json_.ok();
  }

  bool Binary(RestInput& input) {
    const auto bytes = static_cast<uint64_t>(input.binary_bytes);
    if (bytes > body_->size() - binary_at_) {
      return json_.Fail(
          fmt::format("input \"{}\": binary_data_size is {}, but only {} bytes are left behind the JSON "
                      "(is the header Inference-Header-Content-Length right?)",
                      input.tensor.name, bytes, body_->size() - binary_at_));
    }
    char* data = body_->data() + binary_at_;
    binary_at_ += bytes;
    if (input.tensor.dtype == DType::kBytes || reinterpret_cast<uintptr_t>(data) % kBorrowAlignment == 0) {
      input.tensor.buffer = Buffer::Borrow(data, bytes, body_);
    } else {
      input.tensor.buffer = Buffer::Allocate(bytes);
      std::memcpy(input.tensor.buffer.data(), data, bytes);
    }
    return true;
  }

  void Outputs() {
    for (json_.BeginArray(); json_.Element();) {
      if (request_.outputs.size() == kTensorsMax) {
        json_.Fail(fmt::format("more than {} outputs", kTensorsMax));
        return;
      }
      request_.outputs.emplace_back();
      request_.binary_outputs.push_back(-1);
      Output();
    }
  }

  void Output() {
    OutputWish wish;
    SharedParameters shared;
    for (json_.BeginObject(); json_.Key(key_);) {
      if (key_ == "name") {
        json_.String(wish.name);
      } else if (key_ == "parameters") {
        OutputParameters(wish, shared);
      } else {
        json_.Skip();
      }
    }
    if (json_.ok() && wish.name.empty()) json_.Fail("an output has no \"name\"");
    auto place = shared.Place(wish.name);
    if (!place.ok()) json_.Fail(place.status().text());
    if (!json_.ok()) return;
    wish.place = *std::move(place);
    request_.outputs.back() = wish.name;
    if (wish.classes > 0 || wish.place) request_.extras.outputs.push_back(std::move(wish));
  }

  void OutputParameters(OutputWish& wish, SharedParameters& shared) {
    for (json_.BeginObject(); json_.Key(key_);) {
      if (key_ == "binary_data") {
        bool binary = false;
        json_.Bool(binary);
        request_.binary_outputs.back() = binary ? 1 : 0;
      } else if (key_ == "classification") {
        json_.Int(wish.classes);
        Status status = CheckClasses(wish.name, wish.classes);
        if (json_.ok() && !status.ok()) json_.Fail(status.text());
      } else if (!Shared(shared)) {
        json_.Skip();
      }
    }
  }

  void RequestParameters() {
    for (json_.BeginObject(); json_.Key(key_);) {
      if (key_ == "binary_data_output") {
        json_.Bool(request_.binary_by_default);
      } else if (key_ == "timeout") {
        json_.Int(request_.timeout_us);
      } else if (key_ == "priority") {
        json_.Int(request_.priority);
      } else if (key_ == "sequence_id") {
        SequenceId();
      } else if (key_ == "sequence_start") {
        json_.Bool(request_.sequence.start);
      } else if (key_ == "sequence_end") {
        json_.Bool(request_.sequence.end);
      } else {
        json_.Skip();
      }
    }
  }

  void SequenceId() {
    if (json_.Peek() == '"') {
      json_.String(request_.sequence.id.text);
      return;
    }
    int64_t number = 0;
    json_.Int(number);
    if (json_.ok() && number < 0) json_.Fail("sequence_id must be a text or a number from 0 on");
    request_.sequence.id.number = static_cast<uint64_t>(number);
  }

  const std::shared_ptr<std::string>& body_;
  JsonReader json_;
  size_t binary_at_;  // next byte of the binary part
  std::string key_;
  RestInferRequest request_;
};

bool WantsBinary(const RestInferRequest& request, const std::string& name) {
  auto found = std::find(request.outputs.begin(), request.outputs.end(), name);
  if (found == request.outputs.end()) return request.binary_by_default;
  const int8_t asked = request.binary_outputs[static_cast<size_t>(found - request.outputs.begin())];
  return asked < 0 ? request.binary_by_default : asked == 1;
}

void WriteOutputHead(JsonWriter& json, const Tensor& output) {
  json.BeginObject().Key("name").Value(output.name).Key("datatype").Value(DTypeName(output.dtype));
  json.Key("shape").BeginArray();
  for (int64_t dim : output.shape) json.Value(dim);
  json.EndArray();
}

}  // namespace

Result<RestInferRequest> DecodeInfer(const std::shared_ptr<std::string>& body,
                                     std::string_view header_length) {
  size_t json_bytes = body->size();
  if (!header_length.empty()) {
    auto [rest, error] =
        std::from_chars(header_length.data(), header_length.data() + header_length.size(), json_bytes);
    if (error != std::errc() || rest != header_length.data() + header_length.size()) {
      return InvalidArgument(
          "the header Inference-Header-Content-Length must be the number of JSON bytes, got \"{}\"",
          header_length.substr(0, 32));
    }
    if (json_bytes > body->size()) {
      return InvalidArgument(
          "the header Inference-Header-Content-Length says {} bytes of JSON, the body has {}", json_bytes,
          body->size());
    }
  }
  return Decoder(body, json_bytes).Run();
}

Result<RestInferAnswer> EncodeInfer(const RestInferRequest& request, serving::InferResponse response,
                                    const std::vector<SharedPlace>& placed) {
  auto outputs = std::make_shared<std::vector<Tensor>>(std::move(response.outputs));
  RestInferAnswer answer;
  JsonWriter json;
  json.BeginObject().Key("model_name").Value(response.model);
  json.Key("model_version").Value(std::to_string(response.version));
  if (!request.id.empty()) json.Key("id").Value(request.id);
  json.Key("outputs").BeginArray();
  for (size_t i = 0; i < outputs->size(); ++i) {
    const Tensor& output = (*outputs)[i];
    WriteOutputHead(json, output);
    if (i < placed.size() && !placed[i].region.empty()) {
      // Nothing more: Triton's C++ client takes any parameters for those of binary data.
    } else if (WantsBinary(request, output.name)) {
      json.Key("parameters").BeginObject().Key("binary_data_size").Value(output.buffer.size()).EndObject();
      answer.binary.emplace_back(static_cast<const char*>(output.buffer.data()), output.buffer.size());
    } else {
      json.Key("data");
      SNUG_RETURN_IF_ERROR(WriteJsonTensor(json, output));
    }
    json.EndObject();
  }
  json.EndArray().EndObject();
  answer.json = json.Take();
  answer.owner = std::move(outputs);
  return answer;
}

}  // namespace snug::server
