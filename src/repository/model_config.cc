// model.yaml: strict, because a misspelt key that is silently ignored is found in production.
#include "repository/model_config.h"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "repository/config_sections.h"
#include "repository/limits.h"

namespace snug::repository {
namespace {

bool IsPluginName(std::string_view text) {
  auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= kPluginNameCharsMax &&
         std::all_of(text.begin(), text.end(), allowed);
}

// The name of an engine or a parser: it becomes the name of a file, so nothing else is let through.
Result<std::string> ReadPluginName(const Origin& origin, std::string_view key, const YAML::Node& node) {
  if (node.IsScalar() && IsPluginName(node.Scalar())) return node.Scalar();
  return origin.At(node.Mark(), "{}: expected a name of 1-{} letters, digits, '_' and '-', got {}", key,
                   kPluginNameCharsMax, Describe(node));
}

Result<std::string> ReadIsolation(const Origin& origin, const YAML::Node& node) {
  for (const char* known : {"default", "in-process", "process"}) {
    if (node.IsScalar() && node.Scalar() == known) return std::string(known);
  }
  return origin.At(node.Mark(), "isolation: expected default, in-process or process, got {}", Describe(node));
}

// The document's keys, in the order in which errors list them.
std::vector<Field> Keys(const Origin& o, ModelConfig& c) {
  using N = YAML::Node;
  return {
      {"engine", [&](const N& n) { return Store(ReadPluginName(o, "engine", n), c.engine); }},
      {"engine_options",
       [&](const N& n) { return Store(ReadOptions(o, "engine_options", n), c.engine_options_json); }},
      {"isolation", [&](const N& n) { return Store(ReadIsolation(o, n), c.isolation); }},
      {"parser", [&](const N& n) { return Store(ReadPluginName(o, "parser", n), c.parser); }},
      {"parser_options",
       [&](const N& n) { return Store(ReadOptions(o, "parser_options", n), c.parser_options_json); }},
      IntField(o, "", "threads", kThreadsMax, c.threads),
      IntField(o, "", "instances", kInstancesMax, c.instances),
      IntField(o, "", "execution_timeout_s", kExecutionTimeoutSecondsMax, c.execution_timeout_s),
      IntField(o, "", "compute_weight", kComputeWeightMax, c.compute_weight),
      IntField(o, "", "queue_limit", kQueueLimitMax, c.queue_limit),
      {"versions", [&](const N& n) { return Store(ReadVersionPolicy(o, n), c.versions); }},
      {"swap", [&](const N& n) { return Store(ReadSwap(o, n), c.swap); }},
      {"load", [&](const N& n) { return Store(ReadLoadTime(o, n), c.load.emplace()); }},
      {"standby_after_s",
       [&](const N& n) { return Store(ReadStandbyAfter(o, n), c.standby_after_s.emplace()); }},
      {"labels", [&](const N& n) { return Store(ReadLabels(o, n), c.labels); }},
      {"class_labels", [&](const N& n) { return Store(ReadClassFiles(o, n), c.class_labels); }},
      {"batching", [&](const N& n) { return Store(ReadBatching(o, n), c.batching); }},
      {"warmup", [&](const N& n) { return Store(ReadWarmup(o, n), c.warmup); }},
      {"limits", [&](const N& n) { return Store(ReadLimits(o, n), c.limits); }},
      {"payload_log", [&](const N& n) { return Store(ReadPayloadLog(o, n), c.payload_log); }},
      {"cache", [&](const N& n) { return Store(ReadCache(o, n), c.cache); }},
      {"sequence", [&](const N& n) { return Store(ReadSequence(o, n), c.sequence); }},
      {"pipeline", [&](const N& n) { return Store(ReadPipeline(o, n), c.pipeline); }},
  };
}

// Notes where documents begin.
class DocumentStarts : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { last = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
  }
  void OnMapEnd() override {}

  YAML::Mark last;
};

// Not by YAML::LoadAll: on input such as "]" yaml-cpp 0.7 finds documents without end.
Status CheckOneDocument(const Origin& origin, const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStarts starts;
  const bool second = parser.HandleNextDocument(starts) && parser.HandleNextDocument(starts);
  return second ? origin.At(starts.last, "expected one YAML document, another one begins here") : Status();
}

// What only a model with an engine of its own may say; a pipeline's steps each have theirs.
Status FinishPipeline(const Origin& origin, const YAML::Node& document, ModelConfig& config) {
  for (const char* key : {"engine", "engine_options", "isolation", "threads", "execution_timeout_s",
                          "compute_weight", "batching", "sequence", "warmup"}) {
    if (const YAML::Node node = document[key]) {
      return origin.At(node.Mark(), "{}: a pipeline has no engine of its own; say it of a step's model", key);
    }
  }
  if (!document["instances"]) config.instances = kPipelineInstancesDefault;
  return {};
}

Result<ModelConfig> ReadDocument(const Origin& origin, const std::string& text) {
  const YAML::Node document = YAML::Load(text);
  SNUG_RETURN_IF_ERROR(CheckOneDocument(origin, text));
  ModelConfig config;
  if (document.IsNull()) return config;
  SNUG_RETURN_IF_ERROR(ReadFields(origin, "", document, Keys(origin, config)));
  if (config.is_pipeline()) SNUG_RETURN_IF_ERROR(FinishPipeline(origin, document, config));
  return config;
}

// What `read` makes of the text; yaml-cpp's exceptions end here.
template <typename T>
Result<T> Guarded(const Origin& origin, std::string_view yaml,
                  Result<T> (*read)(const Origin&, const std::string&)) {
  if (yaml.size() > kModelYamlBytesMax) {
    return origin.At(YAML::Mark::null_mark(), "{} bytes, at most {} are read", yaml.size(),
                     kModelYamlBytesMax);
  }
  try {
    return read(origin, std::string(yaml));
  } catch (const YAML::Exception& e) {
    return origin.At(e.mark, "not valid YAML: {}", e.msg);
  } catch (const std::exception& e) {
    return origin.At(YAML::Mark::null_mark(), "not valid YAML: {}", e.what());
  }
}

Result<std::string> ReadAsJson(const Origin& origin, const std::string& text) {
  auto config = ReadDocument(origin, text);
  if (!config.ok()) return config.status();
  return ReadOptions(origin, "model.yaml", YAML::Load(text));
}

}  // namespace

std::string_view LoadTimeName(LoadTime time) {
  if (time == LoadTime::kAtStart) return "at-start";
  return time == LoadTime::kBackground ? "background" : "on-request";
}

Result<ModelConfig> ParseModelConfig(std::string_view yaml, std::string_view origin) {
  return Guarded(Origin(origin), yaml, &ReadDocument);
}

Result<std::string> ModelConfigAsJson(std::string_view yaml, std::string_view origin) {
  return Guarded(Origin(origin), yaml, &ReadAsJson);
}

}  // namespace snug::repository
