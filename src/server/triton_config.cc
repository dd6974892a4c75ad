#include "server/triton_config.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "repository/class_labels.h"
#include "repository/limits.h"
#include "server/json_reader.h"

namespace snug::server {
namespace {

using Batching = repository::BatchingConfig;

// Read over: said by the model's files, or without their like here.
constexpr std::string_view kWithoutEffect[] = {
    "input",
    "batch_input",
    "batch_output",
    "optimization",
    "default_model_filename",
    "cc_model_filenames",
    "metric_tags",
    "parameters",
    "model_warmup",
    "model_operations",
    "model_transaction_policy",
    "model_repository_agents",
    "model_metrics",
    "runtime",
};

struct EngineName {
  std::string_view triton, snug;
};
constexpr EngineName kEngines[] = {
    {"onnxruntime_onnx", "openvino"}, {"onnxruntime", "openvino"}, {"tensorflow_savedmodel", "tensorflow"},
    {"pytorch_libtorch", "torch"},    {"pytorch", "torch"},
};
constexpr std::string_view kOwnPlatform = "snug_";

std::string EngineOf(std::string_view name) {
  for (const EngineName& engine : kEngines) {
    if (engine.triton == name) return std::string(engine.snug);
  }
  if (name.starts_with(kOwnPlatform)) name.remove_prefix(kOwnPlatform.size());
  return std::string(name);
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view model, repository::ModelConfig& config)
      : json_(text), model_(model), config_(config) {}

  Status Run() {
    std::string key;
    for (json_.BeginObject(); json_.Key(key);) Field(key);
    return json_.Finish();
  }

 private:
  void Field(const std::string& key) {
    if (key == "name") {
      Name();
    } else if (key == "backend" || key == "platform") {
      std::string name;
      if (json_.String(name) && !name.empty()) config_.engine = EngineOf(name);
    } else if (key == "max_batch_size") {
      MaxBatchSize();
    } else if (key == "instance_group") {
      Instances();
    } else if (key == "dynamic_batching") {
      DynamicBatching();
    } else if (key == "version_policy") {
      VersionPolicy();
    } else if (key == "response_cache") {
      ResponseCache();
    } else if (key == "output") {
      Outputs();
    } else if (std::find(std::begin(kWithoutEffect), std::end(kWithoutEffect), key) !=
               std::end(kWithoutEffect)) {
      json_.Skip();
    } else if (key == "ensemble_scheduling" || key == "sequence_batching") {
      json_.Fail("\"" + key + "\" cannot be set by a load call: write it into the model's model.yaml");
    } else {
      json_.Fail("unknown field \"" + key.substr(0, kShownMax) + "\" of a model configuration");
    }
  }

  void Name() {
    std::string name;
    if (json_.String(name) && !name.empty() && name != model_)
      json_.Fail("\"name\" is \"" + name.substr(0, kShownMax) + "\", but the call loads \"" +
                 std::string(model_) + "\"");
  }

  // A number, or a string of digits, as protobuf's JSON has them.
  bool Whole(std::string_view what, int64_t most, int64_t& value) {
    if (json_.Peek() == '"') {
      std::string text;
      if (!json_.String(text)) return false;
      auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || end != text.data() + text.size()) value = -1;
    } else if (!json_.Int(value)) {
      return false;
    }
    if (value >= 0 && value <= most) return true;
    return json_.Fail(fmt::format("\"{}\" must be a whole number from 0 to {}", what, most));
  }

  void MaxBatchSize() {
    int64_t rows = 0;
    if (!Whole("max_batch_size", INT32_MAX, rows)) return;
    // No more than one execution takes anyway is no bound at all.
    config_.batching.rows_max = rows > 0 && rows < repository::kBatchRowsMax ? static_cast<int>(rows) : 0;
    config_.batching.sizes.clear();
  }

  void Instances() {
    int64_t all = 0;
    std::string key, kind;
    for (json_.BeginArray(); json_.Element();) {
      int64_t count = 1;
      for (json_.BeginObject(); json_.Key(key);) {
        if (key == "count") {
          Whole("count", repository::kInstancesMax, count);
        } else if (key == "kind") {
          json_.String(kind);
          if (kind == "KIND_GPU") json_.Fail("\"KIND_GPU\": this server executes on CPUs");
        } else {
          json_.Skip();
        }
      }
      all += std::max<int64_t>(count, 1);
    }
    if (all > repository::kInstancesMax)
      json_.Fail(fmt::format("{} instances, at most {} are possible", all, repository::kInstancesMax));
    if (json_.ok() && all > 0) config_.instances = static_cast<int>(all);
  }

  void DynamicBatching() {
    std::string key;
    for (json_.BeginObject(); json_.Key(key);) {
      int64_t delay_us = 0;
      if (key != "max_queue_delay_microseconds") {
        json_.Skip();
      } else if (Whole(key, repository::kBatchDelayUsMax, delay_us)) {
        config_.batching.delay_us_max = static_cast<int>(delay_us);
      }
    }
    config_.batching.mode = Batching::Mode::kOn;
  }

  void ResponseCache() {
    std::string key;
    for (json_.BeginObject(); json_.Key(key);) {
      if (key == "enable")
        json_.Bool(config_.cache.on);
      else
        json_.Skip();
    }
  }

  // Of what is said of outputs, only the files with their classes' names; any replaces what model.yaml says.
  void Outputs() {
    std::map<std::string, std::string> files;
    std::string key;
    for (json_.BeginArray(); json_.Element();) {
      std::string name, file;
      for (json_.BeginObject(); json_.Key(key);) {
        if (key == "name")
          json_.String(name);
        else if (key == "label_filename")
          json_.String(file);
        else
          json_.Skip();
      }
      if (file.empty()) continue;
      const Status checked = repository::CheckClassFile(file);
      if (!checked.ok()) json_.Fail("\"label_filename\": " + checked.text());
      if (files.size() == repository::kClassFilesMax) json_.Fail("too many files of labels");
      files[name] = file;
    }
    if (!files.empty()) config_.class_labels = std::move(files);
  }

  void VersionPolicy() {
    using Kind = repository::VersionPolicy::Kind;
    repository::VersionPolicy& policy = config_.versions;
    std::string kind, key;
    for (json_.BeginObject(); json_.Key(kind);) {
      policy = {};
      policy.kind = kind == "latest" ? Kind::kLatest : kind == "specific" ? Kind::kListed : Kind::kAll;
      for (json_.BeginObject(); json_.Key(key);) {
        int64_t number = 0;
        if (key == "num_versions" && Whole(key, static_cast<int64_t>(repository::kVersionsMax), number)) {
          policy.latest = static_cast<int>(std::max<int64_t>(number, 1));
        } else if (key == "versions") {
          Versions(policy.listed);
        } else {
          json_.Skip();
        }
      }
    }
  }

  void Versions(std::vector<int64_t>& listed) {
    for (json_.BeginArray(); json_.Element();) {
      if (listed.size() == repository::kVersionsMax) json_.Fail("more versions than a model may have");
      if (!Whole("versions", repository::kVersionMax, listed.emplace_back())) return;
    }
  }

  static constexpr size_t kShownMax = 64;

  JsonReader json_;
  const std::string_view model_;
  repository::ModelConfig& config_;
};

std::vector<TensorSpec> WithoutBatch(std::vector<TensorSpec> specs, bool batched) {
  if (!batched) return specs;
  for (TensorSpec& spec : specs) {
    if (!spec.shape.empty()) spec.shape.erase(spec.shape.begin());
  }
  return specs;
}

}  // namespace

TritonConfig TritonConfigOf(const serving::ModelDescription& model) {
  const Batching& batching = model.config.batching;
  TritonConfig config;
  if (model.info.batch_is_free)
    config.max_batch_size = batching.rows_max > 0 ? batching.rows_max : repository::kBatchRowsMax;
  config.inputs = WithoutBatch(model.info.inputs, model.info.batch_is_free);
  config.outputs = WithoutBatch(model.info.outputs, model.info.batch_is_free);
  config.dynamic_batching = model.batch_rows > 1;
  if (config.dynamic_batching) config.preferred_batch_sizes = batching.sizes;
  config.parameters = {{"description", model.info.description},
                       {"parser", model.config.parser},
                       {"threads", std::to_string(model.info.threads_per_instance * model.config.instances)}};
  return config;
}

Status ApplyTritonConfig(std::string_view json, std::string_view model, repository::ModelConfig& config) {
  repository::ModelConfig changed = config;
  Status status = Reader(json, model, changed).Run();
  if (!status.ok()) return status.Annotate("the parameter \"config\" is no model configuration");
  config = std::move(changed);
  return {};
}

}  // namespace snug::server
