// tensorflow.serving.PredictionService and ModelService over gRPC.
#include <tensorflow_serving/apis/get_model_metadata.pb.h>
#include <tensorflow_serving/apis/get_model_status.pb.h>
#include <tensorflow_serving/apis/inference.pb.h>
#include <tensorflow_serving/apis/model_management.pb.h>
#include <tensorflow_serving/apis/predict.pb.h>
#include <tensorflow_serving/apis/regression.pb.h>

#include <mutex>
#include <set>
#include <utility>

#include "server/grpc_methods.h"
#include "server/tfs_call.h"
#include "server/tfs_evaluate.h"
#include "server/tfs_tensor.h"

namespace snug::server {
namespace {

namespace tfs = tensorflow::serving;

// Calls awaited at a time on each queue: many where the load is.
constexpr int kLoadSlots = 64;
constexpr int kOtherSlots = 2;
constexpr int kTasksMax = 64;  // in one MultiInference
constexpr const char* kSignatureDef = "signature_def";

Result<TfsTarget> TargetOf(const tfs::ModelSpec& spec) {
  TfsTarget target{spec.name(), {}, spec.signature_name()};
  if (target.model.empty()) return InvalidArgument("model_spec.name is empty");
  // 0 is no version here; clients of OpenVINO Model Server mean the default one by it.
  if (spec.version().value() != 0) target.version = std::to_string(spec.version().value());
  if (spec.version_choice_case() == tfs::ModelSpec::kVersionLabel) target.version = spec.version_label();
  return target;
}

template <typename Request>
Result<TfsTarget> TargetOf(const Request& request) {
  if (!request.has_model_spec()) return InvalidArgument("Missing ModelSpec");
  return TargetOf(request.model_spec());
}

serving::RequestHead HeadOf(const GrpcCall& call) {
  serving::RequestHead head;
  head.arrival = call.arrival();
  head.deadline = call.deadline();
  head.cancelled = call.cancelled();
  head.trace = TraceParentOf(call.Metadata("traceparent"));
  return head;
}

Status Translate(const std::shared_ptr<tfs::PredictRequest>& message, const TfsTarget& target,
                 serving::InferRequest& request) {
  request.model = target.model;
  request.version = target.version;
  request.signature = target.signature;
  for (const auto& [name, proto] : message->inputs()) {
    SNUG_ASSIGN_OR_RETURN(request.inputs.emplace_back(), TensorFromProto(name, proto, message));
  }
  request.outputs.assign(message->output_filter().begin(), message->output_filter().end());
  return {};
}

grpc::ByteBuffer EncodePrediction(const TfsTarget& target, const serving::InferResponse& response) {
  tfs::PredictResponse message;
  FillModelSpec(target, response.version, message.mutable_model_spec());
  for (const Tensor& output : response.outputs)
    TensorToProto(output, &(*message.mutable_outputs())[output.name]);
  return SerializeMessage(message);
}

void Predict(Core& core, GrpcCall& call) {
  auto message = std::make_shared<tfs::PredictRequest>();
  Status status = ParseMessage(call.request(), message.get());
  if (!status.ok()) return call.Fail(status);
  auto target = TargetOf(*message);
  if (!target.ok()) return call.Fail(target.status());
  serving::InferRequest request;
  static_cast<serving::RequestHead&>(request) = HeadOf(call);
  status = Translate(message, *target, request);
  if (!status.ok()) return call.Fail(status);
  core.models.Infer(std::move(request),
                    [&call, target = *std::move(target)](Result<serving::InferResponse> result) {
                      if (!result.ok()) return call.Fail(TfsError(result.status(), target));
                      call.Finish(EncodePrediction(target, *result));
                    });
}

template <typename Request, typename Response>
void Classic(Core& core, GrpcCall& call, std::string_view method) {
  Request request;
  Status status = ParseMessage(call.request(), &request);
  if (!status.ok()) return call.Fail(status);
  auto target = TargetOf(request);
  if (!target.ok()) return call.Fail(target.status());
  Evaluate(core, *target, method, HeadOf(call), request.input(),
           [&call](Result<tfs::InferenceResult> result) {
             if (!result.ok()) return call.Fail(result.status());
             Response response;
             *response.mutable_model_spec() = std::move(*result->mutable_model_spec());
             if constexpr (std::is_same_v<Response, tfs::RegressionResponse>)
               *response.mutable_result() = std::move(*result->mutable_regression_result());
             else
               *response.mutable_result() = std::move(*result->mutable_classification_result());
             call.Finish(SerializeMessage(response));
           });
}

void Classify(Core& core, GrpcCall& call) {
  Classic<tfs::ClassificationRequest, tfs::ClassificationResponse>(core, call, kClassifyMethod);
}

void Regress(Core& core, GrpcCall& call) {
  Classic<tfs::RegressionRequest, tfs::RegressionResponse>(core, call, kRegressMethod);
}

// The tasks of a MultiInference run side by side; the last one to end answers, with the first error if any.
class MultiCall {
 public:
  MultiCall(GrpcCall& call, int tasks) : call_(call), left_(tasks) {
    for (int i = 0; i < tasks; ++i) response_.add_results();
  }
  void Report(int task, Result<tfs::InferenceResult> result) {
    {
      std::lock_guard lock(mutex_);
      if (result.ok())
        *response_.mutable_results(task) = *std::move(result);
      else if (first_.ok())
        first_ = result.status();
      if (--left_ > 0) return;
    }
    if (!first_.ok()) return call_.Fail(first_);
    call_.Finish(SerializeMessage(response_));
  }

 private:
  GrpcCall& call_;
  std::mutex mutex_;
  int left_;
  Status first_;
  tfs::MultiInferenceResponse response_;
};

Result<std::vector<TfsTarget>> TasksOf(const tfs::MultiInferenceRequest& request) {
  if (request.tasks_size() == 0) return InvalidArgument("Inference request has no tasks");
  if (request.tasks_size() > kTasksMax)
    return InvalidArgument("{} tasks in one request, at most {} are served", request.tasks_size(), kTasksMax);
  std::vector<TfsTarget> targets;
  std::set<std::string> signatures;
  for (const auto& task : request.tasks()) {
    SNUG_ASSIGN_OR_RETURN(TfsTarget target, TargetOf(task));
    if (!targets.empty() && target.model != targets[0].model)
      return InvalidArgument("All ModelSpecs in a MultiInferenceRequest must access the same model name.");
    if (!signatures.insert(std::string(target.SignatureName())).second)
      return InvalidArgument("Duplicate evaluation of signature: {}", target.SignatureName());
    if (task.method_name() != kClassifyMethod && task.method_name() != kRegressMethod)
      return Error(Code::kUnimplemented, "Unsupported signature method_name: {}; known are {} and {}",
                   task.method_name(), kClassifyMethod, kRegressMethod);
    targets.push_back(std::move(target));
  }
  return targets;
}

void MultiInference(Core& core, GrpcCall& call) {
  tfs::MultiInferenceRequest request;
  Status status = ParseMessage(call.request(), &request);
  if (!status.ok()) return call.Fail(status);
  auto targets = TasksOf(request);
  if (!targets.ok()) return call.Fail(targets.status());
  const serving::RequestHead head = HeadOf(call);
  auto multi = std::make_shared<MultiCall>(call, request.tasks_size());
  for (int i = 0; i < request.tasks_size(); ++i) {
    Evaluate(core, (*targets)[static_cast<size_t>(i)], request.tasks(i).method_name(), head, request.input(),
             [multi, i](Result<tfs::InferenceResult> result) { multi->Report(i, std::move(result)); });
  }
}

void FillTensors(const std::vector<TensorSpec>& specs,
                 google::protobuf::Map<std::string, tensorflow::TensorInfo>& map) {
  for (const TensorSpec& spec : specs) {
    tensorflow::TensorInfo& info = map[spec.name];
    info.set_name(spec.name);
    info.set_dtype(static_cast<tensorflow::DataType>(TfsTypeNumber(spec.dtype)));
    auto* shape = info.mutable_tensor_shape();
    for (int64_t dim : spec.shape) shape->add_dim()->set_size(dim);
  }
}

void FillSignature(const engine::Signature& from, tensorflow::SignatureDef& to) {
  FillTensors(from.inputs, *to.mutable_inputs());
  FillTensors(from.outputs, *to.mutable_outputs());
  to.set_method_name(from.method);
}

Status GetModelMetadata(Core& core, const tfs::GetModelMetadataRequest& request,
                        tfs::GetModelMetadataResponse& response) {
  SNUG_ASSIGN_OR_RETURN(const TfsTarget target, TargetOf(request));
  if (request.metadata_field_size() == 0)
    return InvalidArgument("GetModelMetadataRequest must specify at least one metadata_field");
  for (const std::string& field : request.metadata_field()) {
    if (field != kSignatureDef)
      return InvalidArgument("Metadata field {} is not supported; known is {}", field, kSignatureDef);
  }
  auto model = core.models.Describe(target.model, target.version);
  if (!model.ok()) return TfsError(model.status(), target);
  response.mutable_model_spec()->set_name(target.model);
  response.mutable_model_spec()->mutable_version()->set_value(model->version);
  tfs::SignatureDefMap signatures;
  for (const engine::Signature& signature : TfsSignatures(model->info))
    FillSignature(signature, (*signatures.mutable_signature_def())[signature.name]);
  (*response.mutable_metadata())[kSignatureDef].PackFrom(signatures);
  return {};
}

void HandleModelMetadata(Core& core, GrpcCall& call) {
  auto request = std::make_shared<tfs::GetModelMetadataRequest>();
  Status status = ParseMessage(call.request(), request.get());
  if (!status.ok()) return call.Fail(status);
  const auto target = TargetOf(*request);
  if (!target.ok()) return call.Fail(target.status());
  core.models.WhenLoaded(target->model, target->version, call.deadline(), call.cancelled(),
                         [&core, &call, request](const Status& loaded) {
                           tfs::GetModelMetadataResponse response;
                           const Status answered =
                               loaded.ok() ? GetModelMetadata(core, *request, response) : loaded;
                           if (!answered.ok()) return call.Fail(answered);
                           call.Finish(SerializeMessage(response));
                         });
}

Status GetModelStatus(Core& core, const tfs::GetModelStatusRequest& request,
                      tfs::GetModelStatusResponse& response) {
  SNUG_ASSIGN_OR_RETURN(const TfsTarget target, TargetOf(request));
  SNUG_ASSIGN_OR_RETURN(const auto versions, TfsStatuses(core, target));
  for (const auto& version : versions) {
    auto* status = response.add_model_version_status();
    status->set_version(version.version);
    status->set_state(static_cast<tfs::ModelVersionStatus::State>(TfsStateOf(version.state).number));
    const Status error = TfsVersionError(version);
    status->mutable_status()->set_error_code(
        static_cast<tensorflow::error::Code>(static_cast<int>(error.code())));
    status->mutable_status()->set_error_message(error.text());
  }
  return {};
}

void HandleReloadConfig(Core& core, GrpcCall& call) {
  tfs::ReloadConfigRequest request;
  Status status = ParseMessage(call.request(), &request);
  if (status.ok() && !core.reload_config)
    status = FailedPrecondition(
        "this server serves the models of its repository: load and unload them by RepositoryModelLoad and "
        "RepositoryModelUnload, or start it as tensorflow_model_server to reload a ModelServerConfig");
  if (!status.ok()) return call.Fail(status);
  core.reload_config(request.config().SerializeAsString(), [&call](const Status& outcome) {
    tfs::ReloadConfigResponse response;
    response.mutable_status()->set_error_code(
        static_cast<tensorflow::error::Code>(static_cast<int>(outcome.code())));
    response.mutable_status()->set_error_message(outcome.text());
    call.Finish(SerializeMessage(response));
  });
}

constexpr GrpcMethod kMethods[] = {
    {"/tensorflow.serving.PredictionService/Predict", Predict, kLoadSlots},
    {"/tensorflow.serving.PredictionService/Classify", Classify, kOtherSlots},
    {"/tensorflow.serving.PredictionService/Regress", Regress, kOtherSlots},
    {"/tensorflow.serving.PredictionService/MultiInference", MultiInference, kOtherSlots},
    {"/tensorflow.serving.PredictionService/GetModelMetadata", HandleModelMetadata, kOtherSlots},
    {"/tensorflow.serving.ModelService/GetModelStatus",
     Unary<tfs::GetModelStatusRequest, tfs::GetModelStatusResponse, GetModelStatus>, kOtherSlots},
    {"/tensorflow.serving.ModelService/HandleReloadConfigRequest", HandleReloadConfig, kOtherSlots},
};

}  // namespace

std::span<const GrpcMethod> TfsGrpcMethods() {
  return kMethods;
}

}  // namespace snug::server
