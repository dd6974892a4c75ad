#include "server/rest_documents.h"

#include "server/core.h"
#include "server/json_reader.h"
#include "server/json_writer.h"

namespace snug::server {
namespace {

void WriteSpecs(JsonWriter& json, const std::vector<TensorSpec>& specs, std::string_view type_key,
                std::string_view type_prefix, std::string_view shape_key) {
  json.BeginArray();
  for (const TensorSpec& spec : specs) {
    json.BeginObject().Key("name").Value(spec.name);
    const std::string_view name =
        spec.dtype == DType::kBytes && !type_prefix.empty() ? "STRING" : DTypeName(spec.dtype);
    json.Key(type_key).Value(std::string(type_prefix).append(name)).Key(shape_key).BeginArray();
    for (int64_t dim : spec.shape) json.Value(dim);
    json.EndArray().EndObject();
  }
  json.EndArray();
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
  json.EndObject().Key("batch_stats").BeginArray().EndArray();
  json.Key("memory_usage").BeginArray().EndArray().EndObject();
}

// "version" as a string or a number.
void ReadVersion(JsonReader& json, std::string& version) {
  int64_t number = 0;
  if (json.Peek() == '"') {
    json.String(version);
  } else if (json.Int(number)) {
    version = std::to_string(number);
  }
}

void ReadParameters(JsonReader& json, RepositoryCall& call) {
  std::string key;
  for (json.BeginObject(); json.Key(key);) {
    if (key == "version") {
      ReadVersion(json, call.version);
    } else if (key == "wait") {
      json.Bool(call.wait);
    } else if (key == "unload_dependents") {
      json.Skip();  // there are none
    } else {
      json.Fail("unknown parameter \"" + key +
                "\"; known are version and wait (files and configuration cannot be "
                "sent with a load: put them into the repository)");
    }
  }
}

}  // namespace

std::string ServerMetadataJson() {
  JsonWriter json;
  json.BeginObject().Key("name").Value(kServerName).Key("version").Value(kServerVersion);
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
  JsonWriter json;
  json.BeginObject().Key("name").Value(model.name).Key("platform").Value(PlatformName(model));
  json.Key("backend").Value(model.config.engine).Key("max_batch_size").Value(0).Key("input");
  WriteSpecs(json, model.info.inputs, "data_type", "TYPE_", "dims");
  json.Key("output");
  WriteSpecs(json, model.info.outputs, "data_type", "TYPE_", "dims");
  WriteSequences(json, model.config.sequence);
  json.Key("instance_group")
      .BeginArray()
      .BeginObject()
      .Key("name")
      .Value(model.name)
      .Key("kind")
      .Value("KIND_CPU");
  json.Key("count").Value(model.config.instances).EndObject().EndArray();
  json.Key("parameters").BeginObject();
  json.Key("description").BeginObject().Key("string_value").Value(model.info.description).EndObject();
  json.Key("parser").BeginObject().Key("string_value").Value(model.config.parser).EndObject();
  json.Key("threads").BeginObject().Key("string_value");
  json.Value(std::to_string(model.info.threads_per_instance * model.config.instances)).EndObject();
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
    json.BeginObject().Key("name").Value(status.name).Key("version").Value(std::to_string(status.version));
    json.Key("state").Value(serving::StateName(status.state)).Key("reason").Value(status.reason);
    json.Key("memory_bytes").Value(status.memory_bytes).Key("engine").Value(status.engine);
    json.Key("threads").Value(static_cast<uint64_t>(status.threads));
    json.Key("batching").Value(status.batching);
    json.Key("parser").Value(status.parser).Key("description").Value(status.description).EndObject();
  }
  json.EndArray();
  return json.Take();
}

Result<RepositoryCall> ParseRepositoryCall(std::string_view body) {
  RepositoryCall call;
  JsonReader json(body);
  if (json.Peek() == '\0') return call;
  std::string key;
  for (json.BeginObject(); json.Key(key);) {
    if (key == "parameters") {
      ReadParameters(json, call);
    } else if (key == "ready") {
      json.Bool(call.only_ready);
    } else {
      json.Skip();
    }
  }
  SNUG_RETURN_IF_ERROR(json.Finish());
  return call;
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
