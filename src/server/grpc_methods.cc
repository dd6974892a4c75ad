// The calls besides ModelInfer and Predict: small messages, answered at once or by the life cycle's threads.
#include "server/grpc_methods.h"

#include <grpc_service.pb.h>
#include <snug/v1/prediction.pb.h>

#include <utility>
#include <vector>

namespace snug::server {
namespace {

// Parses, calls `answer(core, request, response)` and sends what it made.
template <typename Request, typename Response, Status (*Answer)(Core&, const Request&, Response&)>
void Unary(Core& core, GrpcCall& call) {
  Request request;
  Response response;
  Status status = ParseMessage(call.request(), &request);
  if (status.ok()) status = Answer(core, request, response);
  if (!status.ok()) return call.Fail(status);
  call.Finish(SerializeMessage(response));
}

Status ServerLive(Core&, const inference::ServerLiveRequest&, inference::ServerLiveResponse& response) {
  response.set_live(true);
  return {};
}

Status ServerReady(Core& core, const inference::ServerReadyRequest&,
                   inference::ServerReadyResponse& response) {
  response.set_ready(core.Ready());
  return {};
}

Status ModelReady(Core& core, const inference::ModelReadyRequest& request,
                  inference::ModelReadyResponse& response) {
  response.set_ready(core.models.Ready(request.name(), request.version()).ok());
  return {};
}

Status ServerMetadata(Core&, const inference::ServerMetadataRequest&,
                      inference::ServerMetadataResponse& response) {
  response.set_name(kServerName);
  response.set_version(kServerVersion);
  for (const char* extension : kExtensions) response.add_extensions(extension);
  return {};
}

void FillTensor(const TensorSpec& spec, inference::ModelMetadataResponse::TensorMetadata* tensor) {
  tensor->set_name(spec.name);
  tensor->set_datatype(std::string(DTypeName(spec.dtype)));
  tensor->mutable_shape()->Add(spec.shape.begin(), spec.shape.end());
}

Status ModelMetadata(Core& core, const inference::ModelMetadataRequest& request,
                     inference::ModelMetadataResponse& response) {
  SNUG_ASSIGN_OR_RETURN(const serving::ModelDescription model,
                        core.models.Describe(request.name(), request.version()));
  response.set_name(model.name);
  for (int64_t version : model.versions) response.add_versions(std::to_string(version));
  response.set_platform(PlatformName(model));
  for (const TensorSpec& spec : model.info.inputs) FillTensor(spec, response.add_inputs());
  for (const TensorSpec& spec : model.info.outputs) FillTensor(spec, response.add_outputs());
  return {};
}

inference::DataType ConfigType(DType dtype) {
  const std::string_view name = dtype == DType::kBytes ? "STRING" : DTypeName(dtype);
  inference::DataType type = inference::TYPE_INVALID;
  inference::DataType_Parse("TYPE_" + std::string(name), &type);
  return type;
}

template <typename Tensor>
void FillConfig(const TensorSpec& spec, Tensor* tensor) {
  tensor->set_name(spec.name);
  tensor->set_data_type(ConfigType(spec.dtype));
  tensor->mutable_dims()->Add(spec.shape.begin(), spec.shape.end());
}

void FillSequences(const repository::SequenceConfig& sequence, inference::ModelConfig& config) {
  if (!sequence.on) return;
  auto* batching = config.mutable_sequence_batching();
  batching->set_max_sequence_idle_microseconds(static_cast<uint64_t>(sequence.idle_ms_max) * 1000);
  if (sequence.oldest) {
    batching->mutable_oldest()->set_max_candidate_sequences(sequence.sequences_max);
  } else {
    batching->mutable_direct();
  }
}

Status ModelConfig(Core& core, const inference::ModelConfigRequest& request,
                   inference::ModelConfigResponse& response) {
  SNUG_ASSIGN_OR_RETURN(const serving::ModelDescription model,
                        core.models.Describe(request.name(), request.version()));
  auto* config = response.mutable_config();
  config->set_name(model.name);
  config->set_platform(PlatformName(model));
  config->set_backend(model.config.engine);
  for (const TensorSpec& spec : model.info.inputs) FillConfig(spec, config->add_input());
  for (const TensorSpec& spec : model.info.outputs) FillConfig(spec, config->add_output());
  FillSequences(model.config.sequence, *config);
  auto* group = config->add_instance_group();
  group->set_name(model.name);
  group->set_kind(inference::ModelInstanceGroup::KIND_CPU);
  group->set_count(model.config.instances);
  (*config->mutable_parameters())["description"].set_string_value(model.info.description);
  (*config->mutable_parameters())["parser"].set_string_value(model.config.parser);
  return {};
}

void FillDuration(uint64_t count, uint64_t nanoseconds, inference::StatisticDuration* duration) {
  duration->set_count(count);
  duration->set_ns(nanoseconds);
}

void FillStatistics(const serving::ModelManager::VersionNumbers& numbers, inference::ModelStatistics* out) {
  const serving::VersionStats& stats = *numbers.stats;
  const uint64_t executions = stats.executions.value();
  out->set_name(numbers.name);
  out->set_version(std::to_string(numbers.version));
  out->set_last_inference(static_cast<uint64_t>(stats.last_inference_ms.load()));
  out->set_inference_count(stats.inferences.value());
  out->set_execution_count(executions);
  auto* durations = out->mutable_inference_stats();
  FillDuration(stats.Succeeded(), stats.success_ns.value(), durations->mutable_success());
  FillDuration(stats.Failed(), stats.failure_ns.value(), durations->mutable_fail());
  FillDuration(executions, stats.queue_ns.value(), durations->mutable_queue());
  FillDuration(executions, stats.parse_ns.value(), durations->mutable_compute_input());
  FillDuration(executions, stats.compute_ns.value(), durations->mutable_compute_infer());
  FillDuration(executions, stats.format_ns.value(), durations->mutable_compute_output());
  FillDuration(stats.cache_hits.value(), stats.cache_hit_ns.value(), durations->mutable_cache_hit());
  FillDuration(stats.cache_misses.value(), stats.cache_miss_ns.value(), durations->mutable_cache_miss());
}

Status ModelStatistics(Core& core, const inference::ModelStatisticsRequest& request,
                       inference::ModelStatisticsResponse& response) {
  SNUG_ASSIGN_OR_RETURN(const auto all, core.models.Statistics(request.name(), request.version()));
  for (const auto& numbers : all) FillStatistics(numbers, response.add_model_stats());
  return {};
}

Status RepositoryIndex(Core& core, const inference::RepositoryIndexRequest& request,
                       inference::RepositoryIndexResponse& response) {
  for (const auto& status : core.models.Index()) {
    if (request.ready() && status.state != serving::State::kReady) continue;
    auto* model = response.add_models();
    model->set_name(status.name);
    model->set_version(std::to_string(status.version));
    model->set_state(std::string(serving::StateName(status.state)));
    model->set_reason(status.reason);
  }
  return {};
}

// parameters: version (string or integer) and wait.
template <typename Request>
Result<std::pair<std::string, bool>> RepositoryParameters(const Request& request) {
  std::pair<std::string, bool> call{"", true};
  for (const auto& [key, value] : request.parameters()) {
    if (key == "version") {
      call.first = value.has_int64_param() ? std::to_string(value.int64_param()) : value.string_param();
    } else if (key == "wait") {
      call.second = value.bool_param();
    } else if (key != "unload_dependents") {
      return InvalidArgument(
          "unknown parameter \"{}\"; known are version and wait (files and configuration cannot be "
          "sent with a load: put them into the repository)",
          key);
    }
  }
  return call;
}

using Change = void (serving::ModelManager::*)(std::string, std::string, bool, serving::ModelManager::Done);

template <typename Request, typename Response, Change change>
void ChangeModel(Core& core, GrpcCall& call) {
  Request request;
  Status status = CheckControl(core);
  if (status.ok()) status = ParseMessage(call.request(), &request);
  if (!status.ok()) return call.Fail(status);
  auto parameters = RepositoryParameters(request);
  if (!parameters.ok()) return call.Fail(parameters.status());
  (core.models.*change)(request.model_name(), parameters->first, parameters->second,
                        [&call](const Status& outcome) {
                          if (!outcome.ok()) return call.Fail(outcome);
                          call.Finish(SerializeMessage(Response()));
                        });
}

// Calls awaited at a time on each queue: many where the load is.
constexpr int kLoadSlots = 64;
constexpr int kOtherSlots = 2;

// The table's entry of inference.GRPCInferenceService/NAME, answered by the function of that name.
#define SNUG_UNARY(name)                                                              \
  {                                                                                   \
    "/inference.GRPCInferenceService/" #name,                                         \
        Unary<inference::name##Request, inference::name##Response, name>, kOtherSlots \
  }

constexpr GrpcMethod kMethods[] = {
    {"/inference.GRPCInferenceService/ModelInfer", GrpcModelInfer, kLoadSlots},
    {"/snug.v1.Prediction/Predict", GrpcPredict, kLoadSlots},
    SNUG_UNARY(ServerLive),
    SNUG_UNARY(ServerReady),
    SNUG_UNARY(ModelReady),
    SNUG_UNARY(ServerMetadata),
    SNUG_UNARY(ModelMetadata),
    SNUG_UNARY(ModelConfig),
    SNUG_UNARY(ModelStatistics),
    SNUG_UNARY(RepositoryIndex),
    {"/inference.GRPCInferenceService/RepositoryModelLoad",
     ChangeModel<inference::RepositoryModelLoadRequest, inference::RepositoryModelLoadResponse,
                 &serving::ModelManager::Load>,
     kOtherSlots},
    {"/inference.GRPCInferenceService/RepositoryModelUnload",
     ChangeModel<inference::RepositoryModelUnloadRequest, inference::RepositoryModelUnloadResponse,
                 &serving::ModelManager::Unload>,
     kOtherSlots},
};

}  // namespace

std::span<const GrpcMethod> OipGrpcMethods() {
  return kMethods;
}

std::span<const GrpcMethod> GrpcMethods() {
  static const std::vector<GrpcMethod> all = [] {
    std::vector<GrpcMethod> methods;
    for (auto table : {OipGrpcMethods(), TfsGrpcMethods()})
      methods.insert(methods.end(), table.begin(), table.end());
    return methods;
  }();
  return all;
}

}  // namespace snug::server
