#include "server/recorded_request.h"

#include <utility>

#include "server/json_reader.h"
#include "server/json_writer.h"
#include "server/rest_infer.h"

namespace snug::server {
namespace {

constexpr size_t kLengthBytes = 4;

void WriteHead(JsonWriter& json, const serving::RequestHead& head, double wall_seconds) {
  json.BeginObject().Key("model").Value(head.model).Key("version").Value(head.version);
  json.Key("signature").Value(head.signature);
  json.Key("time_ms").Value(static_cast<int64_t>(wall_seconds * 1e3));
}

std::string WithLength(const std::string& json, size_t bytes_after) {
  std::string record;
  record.reserve(kLengthBytes + json.size() + bytes_after);
  for (size_t i = 0; i < kLengthBytes; ++i) record += static_cast<char>(json.size() >> (8 * i));
  return record += json;
}

// What is not KServe's.
struct Extras {
  std::string signature;
  bool is_payload = false;
  std::string content_type;
  std::map<std::string, std::string> parameters;
};

void ReadPayload(JsonReader& json, Extras& extras) {
  extras.is_payload = true;
  std::string key;
  for (json.BeginObject(); json.Key(key);) {
    if (key == "content_type") {
      json.String(extras.content_type);
    } else if (key == "parameters") {
      for (json.BeginObject(); json.Key(key);) json.String(extras.parameters[key]);
    } else {
      json.Skip();
    }
  }
}

Result<Extras> ReadExtras(std::string_view text) {
  Extras extras;
  JsonReader json(text);
  std::string key;
  for (json.BeginObject(); json.Key(key);) {
    if (key == "signature") {
      json.String(extras.signature);
    } else if (key == "payload") {
      ReadPayload(json, extras);
    } else {
      json.Skip();
    }
  }
  SNUG_RETURN_IF_ERROR(json.Finish());
  return extras;
}

}  // namespace

std::string EncodeRecorded(const serving::InferRequest& request, double wall_seconds) {
  JsonWriter json;
  WriteHead(json, request, wall_seconds);
  size_t bytes = 0;
  json.Key("inputs").BeginArray();
  for (const Tensor& input : request.inputs) {
    json.BeginObject().Key("name").Value(input.name).Key("datatype").Value(DTypeName(input.dtype));
    json.Key("shape").BeginArray();
    for (int64_t dim : input.shape) json.Value(dim);
    json.EndArray().Key("parameters").BeginObject().Key("binary_data_size").Value(input.buffer.size());
    json.EndObject().EndObject();
    bytes += input.buffer.size();
  }
  json.EndArray().EndObject();
  std::string record = WithLength(json.Take(), bytes);
  for (const Tensor& input : request.inputs)
    record.append(static_cast<const char*>(input.buffer.data()), input.buffer.size());
  return record;
}

std::string EncodeRecorded(const serving::PredictRequest& request, double wall_seconds) {
  JsonWriter json;
  WriteHead(json, request, wall_seconds);
  json.Key("payload").BeginObject().Key("content_type").Value(request.content_type);
  json.Key("parameters").BeginObject();
  for (const auto& [name, value] : request.parameters) json.Key(name).Value(value);
  json.EndObject().EndObject().EndObject();
  std::string record = WithLength(json.Take(), request.payload.size());
  return record += request.payload;
}

Result<serving::WarmupRequest> DecodeRecorded(std::string_view record) {
  size_t json_bytes = 0;
  if (record.size() >= kLengthBytes) {
    for (size_t i = 0; i < kLengthBytes; ++i)
      json_bytes |= static_cast<size_t>(static_cast<unsigned char>(record[i])) << (8 * i);
  }
  if (record.size() < kLengthBytes || json_bytes > record.size() - kLengthBytes)
    return InvalidArgument("not a recorded request: it has {} bytes, its JSON {}", record.size(), json_bytes);
  record.remove_prefix(kLengthBytes);
  SNUG_ASSIGN_OR_RETURN(Extras extras, ReadExtras(record.substr(0, json_bytes)));
  serving::WarmupRequest request;
  request.signature = std::move(extras.signature);
  if (extras.is_payload) {
    request.is_payload = true;
    request.content_type = std::move(extras.content_type);
    request.parameters = std::move(extras.parameters);
    request.payload = record.substr(json_bytes);
    return request;
  }
  auto body = std::make_shared<std::string>(record);
  SNUG_ASSIGN_OR_RETURN(RestInferRequest infer, DecodeInfer(body, std::to_string(json_bytes)));
  request.inputs = std::move(infer.inputs);
  return request;
}

}  // namespace snug::server
