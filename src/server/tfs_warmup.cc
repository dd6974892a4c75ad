#include "server/tfs_warmup.h"

#include <google/protobuf/message.h>
#include <tensorflow_serving/apis/predict.pb.h>
#include <tfs_flags.pb.h>

#include <memory>
#include <utility>

#include "base/log.h"
#include "os/files.h"
#include "server/record_file.h"
#include "server/tfs_tensor.h"
#include "server/warmup_files.h"

namespace snug::server {
namespace {

Result<serving::WarmupRequest> DecodePredict(const std::string& bytes) {
  auto message = std::make_shared<tensorflow::serving::PredictRequest>();
  if (!message->ParseFromString(bytes)) return InvalidArgument("predict_log.request is no PredictRequest");
  serving::WarmupRequest request;
  request.signature = message->model_spec().signature_name();
  for (const auto& [name, proto] : message->inputs()) {
    SNUG_ASSIGN_OR_RETURN(request.inputs.emplace_back(), TensorFromProto(name, proto, message));
  }
  return request;
}

}  // namespace

Result<std::vector<serving::WarmupRequest>> DecodeTfsWarmup(std::string_view file) {
  std::vector<serving::WarmupRequest> requests;
  RecordReader records(file);
  size_t others = 0;
  for (size_t number = 1;; ++number) {
    const std::string origin = fmt::format("{}, record {}", kTfsWarmupFile, number);
    auto record = records.Next();
    if (!record.ok()) return record.status().Annotate(origin);
    if (!record->has_value()) break;
    if (number > kWarmupRequestsMax)
      return Error(Code::kResourceExhausted, "{}: more than {} records", kTfsWarmupFile, kWarmupRequestsMax);
    tfs_flags::PredictionLog log;
    if (!log.ParseFromArray((*record)->data(), static_cast<int>((*record)->size())))
      return InvalidArgument("{}: no PredictionLog", origin);
    if (!log.has_predict_log()) {
      ++others;
      continue;
    }
    auto request = DecodePredict(log.predict_log().request());
    if (!request.ok()) return request.status().Annotate(origin);
    request->origin = origin;
    requests.push_back(*std::move(request));
  }
  if (others > 0) {
    log::Info("records for the warm-up that are no Predict calls are left out",
              {{"file", std::string(kTfsWarmupFile)}, {"records", std::to_string(others)}});
  }
  return requests;
}

Result<std::vector<serving::WarmupRequest>> ReadTfsWarmup(const std::string& directory) {
  const std::string path = fmt::format("{}/{}", directory, kTfsWarmupFile);
  if (!os::Exists(path)) return std::vector<serving::WarmupRequest>();
  SNUG_ASSIGN_OR_RETURN(const std::string file, os::ReadFile(path, kWarmupFileBytesMax));
  return DecodeTfsWarmup(file);
}

}  // namespace snug::server
