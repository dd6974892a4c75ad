#include "server/rest_documents.h"

#include <map>
#include <string>

#include "server/json_writer.h"
#include "server/triton_config.h"

namespace snug::server {
namespace {

using ClassFiles = std::map<std::string, std::string>;

void WriteSpecs(JsonWriter& json, const std::vector<TensorSpec>& specs, std::string_view type_key,
                std::string_view type_prefix, std::string_view shape_key,
                const ClassFiles& class_files = {}) {
  json.BeginArray();
  for (const TensorSpec& spec : specs) {
    json.BeginObject().Key("name").Value(spec.name);
    const std::string_view name =
        spec.dtype == DType::kBytes && !type_prefix.empty() ? "STRING" : DTypeName(spec.dtype);
    json.Key(type_key).Value(std::string(type_prefix).append(name)).Key(shape_key).BeginArray();
    for (int64_t dim : spec.shape) json.Value(dim);
    json.EndArray();
    if (auto file = class_files.find(spec.name); file != class_files.end())
      json.Key("label_filename").Value(file->second);
    json.EndObject();
  }
  json.EndArray();
}

void WriteVersionPolicy(JsonWriter& json, const repository::VersionPolicy& policy) {
  using Kind = repository::VersionPolicy::Kind;
  if (policy.kind == Kind::kLatest) {
    json.Key("latest").BeginObject().Key("num_versions").Value(policy.latest).EndObject();
  } else if (policy.kind == Kind::kListed) {
    json.Key("specific").BeginObject().Key("versions").BeginArray();
    for (int64_t version : policy.listed) json.Value(version);
    json.EndArray().EndObject();
  } else {
    json.Key("all").BeginObject().EndObject();
  }
}

void WriteDuration(JsonWriter& json, std::string_view key, uint64_t count, uint64_t nanoseconds) {
  json.Key(key).BeginObject().Key("count").Value(count).Key("ns").Value(nanoseconds).EndObject();
}

void WriteStatistics(JsonWriter& json, const serving::ModelManager::VersionNumbers& numbers) {
  const serving::VersionStats& stats = *numbers.stats;
  const uint64_t executions = stats.executions.value();
  json.BeginObject().Key("name").Value(numbers.name).Key("version").Value(std::to_string(numbers.version));
  json.Key("last_inference").Value(stats.last_inference_ms.load());
  json.Key("inference_count").Value(stats.inferences.value());
  json.Key("execution_count").Value(executions);
  json.Key("inference_stats").BeginObject();
  WriteDuration(json, "success", stats.Succeeded(), stats.success_ns.value());
  WriteDuration(json, "fail", stats.Failed(), stats.failure_ns.value());
  WriteDuration(json, "queue", executions, stats.queue_ns.value());
  WriteDuration(json, "compute_input", executions, stats.parse_ns.value());
  WriteDuration(json, "compute_infer", executions, stats.compute_ns.value());
  WriteDuration(json, "compute_output", executions, stats.format_ns.value());
  WriteDuration(json, "cache_hit", stats.cache_hits.value(), stats.cache_hit_ns.value());
  WriteDuration(json, "cache_miss", stats.cache_misses.value(), stats.cache_miss_ns.value());
  json.EndObject().Key("response_stats").BeginObject().EndObject();
  json.Key("batch_stats").BeginArray();
  for (const serving::BatchTimes::Row& row : stats.batch_times.Rows()) {
    json.BeginObject().Key("batch_size").Value(row.rows);
    WriteDuration(json, "compute_input", row.executions, 0);
    WriteDuration(json, "compute_infer", row.executions, row.compute_ns);
    WriteDuration(json, "compute_output", row.executions, 0);
    json.EndObject();
  }
  json.EndArray().Key("memory_usage").BeginArray().BeginObject().Key("type").Value("CPU");
  json.Key("id")
      .Value(0)
      .Key("byte_size")
      .Value(stats.memory_bytes.load())
      .EndObject()
      .EndArray()
      .EndObject();
}

}  // namespace

std::string ServerMetadataJson(const Core& core) {
  JsonWriter json;
  json.BeginObject().Key("name").Value(core.server_name).Key("version").Value(kServerVersion);
  json.Key("extensions").BeginArray();
  for (const char* extension : kExtensions) json.Value(extension);
  json.EndArray().EndObject();
  return json.Take();
}

std::string ModelMetadataJson(const serving::ModelDescription& model) {
  JsonWriter json;
  json.BeginObject().Key("name").Value(model.name).Key("versions").BeginArray();
  for (int64_t version : model.versions) json.Value(std::to_string(version));
  json.EndArray().Key("platform").Value(PlatformName(model)).Key("inputs");
  WriteSpecs(json, model.info.inputs, "datatype", "", "shape");
  json.Key("outputs");
  WriteSpecs(json, model.info.outputs, "datatype", "", "shape");
  json.EndObject();
  return json.Take();
}

namespace {

void WriteSequences(JsonWriter& json, const repository::SequenceConfig& sequence) {
  if (!sequence.on) return;
  json.Key("sequence_batching").BeginObject().Key("max_sequence_idle_microseconds");
  json.Value(static_cast<int64_t>(sequence.idle_ms_max) * 1000);
  json.Key(sequence.oldest ? "oldest" : "direct").BeginObject();
  if (sequence.oldest) json.Key("max_candidate_sequences").Value(sequence.sequences_max);
  json.EndObject().EndObject();
}

}  // namespace

std::string ModelConfigJson(const serving::ModelDescription& model) {
  const TritonConfig config = TritonConfigOf(model);
  JsonWriter json;
  json.BeginObject().Key("name").Value(model.name).Key("platform").Value(PlatformName(model));
  json.Key("backend").Value(model.config.engine).Key("max_batch_size").Value(config.max_batch_size);
  json.Key("version_policy").BeginObject();
  WriteVersionPolicy(json, model.config.versions);
  json.EndObject().Key("input");
  WriteSpecs(json, config.inputs, "data_type", "TYPE_", "dims");
  json.Key("output");
  WriteSpecs(json, config.outputs, "data_type", "TYPE_", "dims", model.config.class_labels);
  WriteSequences(json, model.config.sequence);
  json.Key("instance_group").BeginArray().BeginObject().Key("name").Value(model.name);
  json.Key("kind").Value("KIND_CPU").Key("count").Value(model.config.instances);
  json.Key("gpus").BeginArray().EndArray().EndObject().EndArray();
  if (config.dynamic_batching) {
    json.Key("dynamic_batching").BeginObject().Key("preferred_batch_size").BeginArray();
    for (int64_t rows : config.preferred_batch_sizes) json.Value(rows);
    json.EndArray().Key("max_queue_delay_microseconds").Value(model.config.batching.delay_us_max);
    json.Key("priority_levels").Value(model.config.batching.priorities.size()).EndObject();
  }
  json.Key("response_cache").BeginObject().Key("enable").Value(model.config.cache.on).EndObject();
  json.Key("model_transaction_policy").BeginObject().Key("decoupled").Value(model.info.decoupled).EndObject();
  json.Key("parameters").BeginObject();
  for (const auto& [key, value] : config.parameters)
    json.Key(key).BeginObject().Key("string_value").Value(value).EndObject();
  json.EndObject().EndObject();
  return json.Take();
}

std::string StatisticsJson(const std::vector<serving::ModelManager::VersionNumbers>& numbers) {
  JsonWriter json;
  json.BeginObject().Key("model_stats").BeginArray();
  for (const auto& one : numbers) WriteStatistics(json, one);
  json.EndArray().EndObject();
  return json.Take();
}

std::string IndexJson(const std::vector<serving::VersionStatus>& index) {
  JsonWriter json;
  json.BeginArray();
  for (const auto& status : index) {
    json.BeginObject().Key("name").Value(status.name);
    if (status.version > 0) json.Key("version").Value(std::to_string(status.version));
    json.Key("state").Value(serving::StateName(status.state)).Key("reason").Value(status.reason);
    if (status.version == 0) {
      json.EndObject();
      continue;
    }
    json.Key("takes_requests").Value(status.takes_requests);
    json.Key("memory_bytes").Value(status.memory_bytes).Key("engine").Value(status.engine);
    json.Key("threads").Value(static_cast<uint64_t>(status.threads));
    json.Key("batching").Value(status.batching);
    json.Key("parser").Value(status.parser).Key("description").Value(status.description).EndObject();
  }
  json.EndArray();
  return json.Take();
}

std::string SlowestJson(const std::vector<serving::SlowRequest>& requests) {
  JsonWriter json;
  json.BeginObject().Key("slowest").BeginArray();
  for (const serving::SlowRequest& request : requests) {
    auto microseconds = [&](const char* name, Duration duration) {
      json.Key(name).Value(duration / std::chrono::microseconds(1));
    };
    json.BeginObject()
        .Key("model")
        .Value(request.model)
        .Key("version")
        .Value(std::to_string(request.version));
    json.Key("code").Value(CodeName(request.code)).Key("traceparent").Value(request.trace);
    json.Key("arrived_ms").Value(static_cast<int64_t>(request.arrived_s * 1e3));
    microseconds("total_us", request.total);
    microseconds("before_us", request.before);
    microseconds("queue_us", request.queue);
    microseconds("parse_us", request.parse);
    microseconds("compute_us", request.compute);
    microseconds("format_us", request.format);
    json.EndObject();
  }
  json.EndArray().EndObject();
  return json.Take();
}

}  // namespace snug::server
