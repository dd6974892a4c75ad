// What is told of models: metadata, configuration, statistics.
#include <grpc_service.pb.h>

#include "server/grpc_unary.h"
#include "server/triton_config.h"

namespace snug::server {
namespace {

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

void FillBatching(const TritonConfig& config, const repository::BatchingConfig& own,
                  inference::ModelDynamicBatching* batching) {
  for (int64_t rows : config.preferred_batch_sizes)
    batching->add_preferred_batch_size(static_cast<int32_t>(rows));
  batching->set_max_queue_delay_microseconds(static_cast<uint64_t>(own.delay_us_max));
  batching->set_priority_levels(own.priorities.size());
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

void FillPolicy(const repository::VersionPolicy& policy, inference::ModelVersionPolicy* out) {
  using Kind = repository::VersionPolicy::Kind;
  if (policy.kind == Kind::kLatest) {
    out->mutable_latest()->set_num_versions(static_cast<uint32_t>(policy.latest));
  } else if (policy.kind == Kind::kListed) {
    out->mutable_specific()->mutable_versions()->Add(policy.listed.begin(), policy.listed.end());
  } else {
    out->mutable_all();
  }
}

Status ModelConfig(Core& core, const inference::ModelConfigRequest& request,
                   inference::ModelConfigResponse& response) {
  SNUG_ASSIGN_OR_RETURN(const serving::ModelDescription model,
                        core.models.Describe(request.name(), request.version()));
  const TritonConfig config = TritonConfigOf(model);
  auto* out = response.mutable_config();
  out->set_name(model.name);
  out->set_platform(PlatformName(model));
  out->set_backend(model.config.engine);
  out->set_max_batch_size(static_cast<int32_t>(config.max_batch_size));
  FillPolicy(model.config.versions, out->mutable_version_policy());
  for (const TensorSpec& spec : config.inputs) FillConfig(spec, out->add_input());
  for (const TensorSpec& spec : config.outputs) {
    auto* output = out->add_output();
    FillConfig(spec, output);
    if (auto file = model.config.class_labels.find(spec.name); file != model.config.class_labels.end())
      output->set_label_filename(file->second);
  }
  FillSequences(model.config.sequence, *out);
  auto* group = out->add_instance_group();
  group->set_name(model.name);
  group->set_kind(inference::ModelInstanceGroup::KIND_CPU);
  group->set_count(model.config.instances);
  if (config.dynamic_batching) FillBatching(config, model.config.batching, out->mutable_dynamic_batching());
  out->mutable_response_cache()->set_enable(model.config.cache.on);
  out->mutable_model_transaction_policy()->set_decoupled(model.info.decoupled);
  for (const auto& [key, value] : config.parameters)
    (*out->mutable_parameters())[key].set_string_value(value);
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
  for (const serving::BatchTimes::Row& row : stats.batch_times.Rows()) {
    auto* batch = out->add_batch_stats();
    batch->set_batch_size(row.rows);
    FillDuration(row.executions, 0, batch->mutable_compute_input());
    FillDuration(row.executions, row.compute_ns, batch->mutable_compute_infer());
    FillDuration(row.executions, 0, batch->mutable_compute_output());
  }
  auto* memory = out->add_memory_usage();
  memory->set_type("CPU");
  memory->set_byte_size(stats.memory_bytes.load());
}

Status ModelStatistics(Core& core, const inference::ModelStatisticsRequest& request,
                       inference::ModelStatisticsResponse& response) {
  SNUG_ASSIGN_OR_RETURN(const auto all, core.models.Statistics(request.name(), request.version()));
  for (const auto& numbers : all) FillStatistics(numbers, response.add_model_stats());
  return {};
}

constexpr GrpcMethod kMethods[] = {SNUG_UNARY_OF_MODEL(ModelMetadata), SNUG_UNARY_OF_MODEL(ModelConfig),
                                   SNUG_UNARY(ModelStatistics)};

}  // namespace

std::span<const GrpcMethod> OipModelMethods() {
  return kMethods;
}

}  // namespace snug::server
