// model.yaml: strict, because a misspelt key that is silently ignored is found in production.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "repository/limits.h"
#include "repository/repository.h"

namespace snug::repository {
namespace {

using nlohmann::json;

// Quoted scalars have the tag "!", plain ones "?".
bool IsPlain(const YAML::Node& node) {
  return node.IsScalar() && node.Tag() != "!";
}

// What a value is, for error texts; long scalars are cut.
std::string Describe(const YAML::Node& node) {
  constexpr size_t kShownMax = 40;
  if (!node.IsDefined() || node.IsNull()) return "nothing";
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  std::string text = node.Scalar();
  if (text.size() > kShownMax) text = text.substr(0, kShownMax) + "…";
  return IsPlain(node) ? text : fmt::format("the text \"{}\"", text);
}

template <typename T>
std::optional<T> ParseWhole(std::string_view text) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Where an error is: "models/ocr/model.yaml:3: …".
class Origin {
 public:
  explicit Origin(std::string_view name) : name_(name) {}

  template <typename... Args>
  Status At(const YAML::Mark& mark, fmt::format_string<Args...> format, Args&&... args) const {
    std::string text = fmt::format(format, std::forward<Args>(args)...);
    if (mark.is_null()) return InvalidArgument("{}: {}", name_, text);
    return InvalidArgument("{}:{}: {}", name_, mark.line + 1, text);
  }

 private:
  std::string_view name_;
};

Result<int> ReadInt(const Origin& origin, std::string_view key, const YAML::Node& node, int max) {
  if (IsPlain(node)) {
    if (auto value = ParseWhole<int64_t>(node.Scalar()); value && *value >= 1 && *value <= max) {
      return static_cast<int>(*value);
    }
  }
  return origin.At(node.Mark(), "{}: expected a whole number from 1 to {}, got {}", key, max, Describe(node));
}

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

bool IsLabel(std::string_view text) {
  auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
  };
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && text.size() <= kLabelCharsMax && std::all_of(text.begin(), text.end(), allowed) &&
         !std::all_of(text.begin(), text.end(), digit);
}

Result<std::map<std::string, int64_t>> ReadLabels(const Origin& origin, const YAML::Node& node) {
  std::map<std::string, int64_t> labels;
  if (node.IsNull()) return labels;
  if (!node.IsMap()) {
    return origin.At(node.Mark(), "labels: expected a map from label to version, as in `stable: 3`, got {}",
                     Describe(node));
  }
  for (const auto& pair : node) {
    if (!pair.first.IsScalar() || !IsLabel(pair.first.Scalar())) {
      return origin.At(
          pair.first.Mark(),
          "labels: expected a label of 1-{} letters, digits, '.', '_' and '-', not digits alone, got {}",
          kLabelCharsMax, Describe(pair.first));
    }
    const std::string& label = pair.first.Scalar();
    auto version =
        IsPlain(pair.second) ? ParseVersion(pair.second.Scalar()) : InvalidArgument("not a number");
    if (!version.ok()) {
      return origin.At(pair.second.Mark(), "labels: {}: expected a version (a positive integer), got {}",
                       label, Describe(pair.second));
    }
    if (!labels.emplace(label, *version).second) {
      return origin.At(pair.first.Mark(), "labels: {} is given twice", label);
    }
    if (labels.size() > kLabelsMax) return origin.At(node.Mark(), "labels: more than {}", kLabelsMax);
  }
  return labels;
}

// Options go to a plug-in as JSON. Aliases may make a small file a huge (or endless) tree: hence the counts.
class OptionReader {
 public:
  OptionReader(const Origin& origin, std::string_view key) : origin_(origin), key_(key) {}

  Result<std::string> Read(const YAML::Node& node) {
    if (node.IsNull()) return std::string("{}");
    if (!node.IsMap()) {
      return origin_.At(node.Mark(), "{}: expected a map of options, got {}", key_, Describe(node));
    }
    SNUG_ASSIGN_OR_RETURN(json options, Value(node, 0));
    return options.dump(-1, ' ', false, json::error_handler_t::replace);
  }

 private:
  Result<json> Value(const YAML::Node& node, int depth) {
    if (depth > kOptionDepthMax || ++nodes_ > kOptionNodesMax) {
      return origin_.At(node.Mark(), "{}: more than {} levels or {} values", key_, kOptionDepthMax,
                        kOptionNodesMax);
    }
    if (node.IsMap()) return Map(node, depth);
    if (node.IsSequence()) return List(node, depth);
    if (!node.IsScalar()) return json(nullptr);
    if (IsPlain(node)) return Plain(node);
    return json(node.Scalar());
  }

  Result<json> Map(const YAML::Node& node, int depth) {
    json map = json::object();
    for (const auto& pair : node) {
      if (!pair.first.IsScalar()) {
        return origin_.At(pair.first.Mark(), "{}: expected a text as key, got {}", key_,
                          Describe(pair.first));
      }
      const std::string& name = pair.first.Scalar();
      if (map.contains(name)) return origin_.At(pair.first.Mark(), "{}: {} is given twice", key_, name);
      SNUG_ASSIGN_OR_RETURN(map[name], Value(pair.second, depth + 1));
    }
    return map;
  }

  Result<json> List(const YAML::Node& node, int depth) {
    json list = json::array();
    for (const auto& item : node) {
      SNUG_ASSIGN_OR_RETURN(json value, Value(item, depth + 1));
      list.push_back(std::move(value));
    }
    return list;
  }

  // The words of YAML 1.1 (`on`, `off`, `yes`, `no`) count too: `onednn: on` is what people write.
  Result<json> Plain(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    bool truth = false;
    if (YAML::convert<bool>::decode(node, truth) && text.size() > 1) return json(truth);
    if (auto whole = ParseWhole<int64_t>(text)) return json(*whole);
    if (auto number = ParseWhole<double>(text)) {
      if (std::isfinite(*number)) return json(*number);
      return origin_.At(node.Mark(), "{}: {} cannot be said in JSON", key_, text);
    }
    return json(text);
  }

  const Origin& origin_;
  std::string_view key_;
  int nodes_ = 0;
};

template <typename T>
Status Store(Result<T> value, T& field) {
  if (value.ok()) field = std::move(value).value();
  return value.status();
}

// A map whose keys are read by `fields`; `path` names it in errors.
struct Field {
  std::string_view name;
  std::function<Status(const YAML::Node&)> read;
};

Status ReadFields(const Origin& origin, std::string_view path, const YAML::Node& node,
                  const std::vector<Field>& fields) {
  std::string known;
  for (const Field& field : fields) known += fmt::format("{}{}", known.empty() ? "" : ", ", field.name);
  if (!node.IsMap()) {
    return origin.At(node.Mark(), "{}: expected a map, got {}; known keys: {}", path, Describe(node), known);
  }
  std::vector<std::string> seen;
  for (const auto& pair : node) {
    const std::string name = pair.first.IsScalar() ? pair.first.Scalar() : "";
    auto field = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == name; });
    if (field == fields.end()) {
      return origin.At(pair.first.Mark(), "{}: unknown key {}; known keys: {}", path, Describe(pair.first),
                       known);
    }
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
      return origin.At(pair.first.Mark(), "{}: {} is given twice", path, name);
    }
    seen.push_back(name);
    SNUG_RETURN_IF_ERROR(field->read(pair.second));
  }
  return {};
}

Result<std::vector<int64_t>> ReadSizes(const Origin& origin, const YAML::Node& node) {
  std::vector<int64_t> sizes;
  const bool fits = node.IsSequence() && node.size() > 0 && node.size() <= kBatchSizesMax;
  if (!fits) {
    return origin.At(node.Mark(), "batching.sizes: expected a list of 1 to {} sizes, got {}", kBatchSizesMax,
                     Describe(node));
  }
  for (const auto& item : node) {
    SNUG_ASSIGN_OR_RETURN(const int size, ReadInt(origin, "batching.sizes", item, kBatchRowsMax));
    if (!sizes.empty() && size <= sizes.back()) {
      return origin.At(item.Mark(), "batching.sizes: expected ascending sizes, got {} after {}", size,
                       sizes.back());
    }
    sizes.push_back(size);
  }
  return sizes;
}

Result<PriorityConfig> ReadPriority(const Origin& origin, const YAML::Node& node) {
  PriorityConfig priority;
  constexpr std::string_view kPath = "batching.priorities";
  auto read_int = [&](std::string_view key, int max, int& field) {
    return Field{key, [&origin, key, max, &field](const YAML::Node& n) {
                   return Store(ReadInt(origin, fmt::format("batching.priorities: {}", key), n, max), field);
                 }};
  };
  auto on_timeout = [&](const YAML::Node& n) -> Status {
    const std::string text = n.IsScalar() ? n.Scalar() : "";
    priority.delay_on_timeout = text == "delay";
    if (text == "delay" || text == "reject") return {};
    return origin.At(n.Mark(), "{}: on_timeout: expected reject or delay, got {}", kPath, Describe(n));
  };
  SNUG_RETURN_IF_ERROR(ReadFields(origin, kPath, node,
                                  {read_int("queue_limit", kQueueLimitMax, priority.queue_limit),
                                   read_int("timeout_ms", kPriorityTimeoutMsMax, priority.timeout_ms),
                                   {"on_timeout", on_timeout}}));
  return priority;
}

Result<std::vector<PriorityConfig>> ReadPriorities(const Origin& origin, const YAML::Node& node) {
  std::vector<PriorityConfig> priorities;
  if (!node.IsSequence() || node.size() == 0 || node.size() > kPrioritiesMax) {
    return origin.At(node.Mark(),
                     "batching.priorities: expected a list of 1 to {} maps, the highest first, got {}",
                     kPrioritiesMax, Describe(node));
  }
  for (const auto& item : node) {
    SNUG_ASSIGN_OR_RETURN(priorities.emplace_back(), ReadPriority(origin, item));
  }
  return priorities;
}

// `on` and `off` are text here, though YAML 1.1 takes them for truth values.
std::optional<BatchingConfig::Mode> BatchingMode(const YAML::Node& node) {
  if (!node.IsScalar()) return std::nullopt;
  const std::string& text = node.Scalar();
  if (text == "auto") return BatchingConfig::Mode::kAuto;
  if (text == "on" || text == "true") return BatchingConfig::Mode::kOn;
  if (text == "off" || text == "false") return BatchingConfig::Mode::kOff;
  return std::nullopt;
}

Status CheckBatching(const Origin& origin, const YAML::Node& node, const BatchingConfig& batching) {
  if (!batching.sizes.empty() && batching.rows_max != 0 && batching.rows_max != batching.sizes.back()) {
    return origin.At(node.Mark(), "batching: rows_max {} is not the last of sizes, {}: leave one of them out",
                     batching.rows_max, batching.sizes.back());
  }
  const int priorities = std::max(1, static_cast<int>(batching.priorities.size()));
  if (batching.default_priority <= priorities) return {};
  return origin.At(node.Mark(), "batching: default_priority {}: there are {} priorities",
                   batching.default_priority, priorities);
}

Result<BatchingConfig> ReadBatching(const Origin& origin, const YAML::Node& node) {
  BatchingConfig batching;
  if (auto mode = BatchingMode(node)) {
    batching.mode = *mode;
    return batching;
  }
  if (!node.IsMap()) {
    return origin.At(node.Mark(), "batching: expected auto, on, off or a map, got {}", Describe(node));
  }
  batching.mode = BatchingConfig::Mode::kOn;  // who sets its numbers wants it
  auto mode = [&](const YAML::Node& n) -> Status {
    auto read = BatchingMode(n);
    if (read) batching.mode = *read;
    return read ? Status()
                : origin.At(n.Mark(), "batching.mode: expected auto, on or off, got {}", Describe(n));
  };
  auto integer = [&](std::string_view key, int max, int& field) {
    return Field{key, [&origin, key, max, &field](const YAML::Node& n) {
                   return Store(ReadInt(origin, fmt::format("batching.{}", key), n, max), field);
                 }};
  };
  SNUG_RETURN_IF_ERROR(ReadFields(
      origin, "batching", node,
      {{"mode", mode},
       integer("rows_max", kBatchRowsMax, batching.rows_max),
       {"sizes", [&](const YAML::Node& n) { return Store(ReadSizes(origin, n), batching.sizes); }},
       integer("delay_us_max", kBatchDelayUsMax, batching.delay_us_max),
       {"priorities",
        [&](const YAML::Node& n) { return Store(ReadPriorities(origin, n), batching.priorities); }},
       integer("default_priority", static_cast<int>(kPrioritiesMax), batching.default_priority)}));
  SNUG_RETURN_IF_ERROR(CheckBatching(origin, node, batching));
  return batching;
}

// One key of model.yaml.
struct Key {
  std::string_view name;
  std::function<Status(const Origin&, const YAML::Node&, ModelConfig&)> read;
};

const std::array<Key, 11>& Keys() {
  using N = YAML::Node;
  static const std::array<Key, 11> keys{{
      {"engine",
       [](auto& o, const N& n, auto& c) { return Store(ReadPluginName(o, "engine", n), c.engine); }},
      {"engine_options",
       [](auto& o, const N& n, auto& c) {
         return Store(OptionReader(o, "engine_options").Read(n), c.engine_options_json);
       }},
      {"isolation", [](auto& o, const N& n, auto& c) { return Store(ReadIsolation(o, n), c.isolation); }},
      {"parser",
       [](auto& o, const N& n, auto& c) { return Store(ReadPluginName(o, "parser", n), c.parser); }},
      {"parser_options",
       [](auto& o, const N& n, auto& c) {
         return Store(OptionReader(o, "parser_options").Read(n), c.parser_options_json);
       }},
      {"threads",
       [](auto& o, const N& n, auto& c) { return Store(ReadInt(o, "threads", n, kThreadsMax), c.threads); }},
      {"instances", [](auto& o, const N& n,
                       auto& c) { return Store(ReadInt(o, "instances", n, kInstancesMax), c.instances); }},
      {"execution_timeout_s",
       [](auto& o, const N& n, auto& c) {
         return Store(ReadInt(o, "execution_timeout_s", n, kExecutionTimeoutSecondsMax),
                      c.execution_timeout_s);
       }},
      {"queue_limit",
       [](auto& o, const N& n, auto& c) {
         return Store(ReadInt(o, "queue_limit", n, kQueueLimitMax), c.queue_limit);
       }},
      {"labels", [](auto& o, const N& n, auto& c) { return Store(ReadLabels(o, n), c.labels); }},
      {"batching", [](auto& o, const N& n, auto& c) { return Store(ReadBatching(o, n), c.batching); }},
  }};
  return keys;
}

std::string KnownKeys() {
  std::string text;
  for (const Key& key : Keys()) text += fmt::format("{}{}", text.empty() ? "" : ", ", key.name);
  return text;
}

Status ReadPair(const Origin& origin, const YAML::Node& key_node, const YAML::Node& value,
                ModelConfig& config, std::vector<std::string>& seen) {
  if (!key_node.IsScalar()) {
    return origin.At(key_node.Mark(), "expected a key, got {}; known keys: {}", Describe(key_node),
                     KnownKeys());
  }
  const std::string& name = key_node.Scalar();
  auto key = std::find_if(Keys().begin(), Keys().end(), [&](const Key& k) { return k.name == name; });
  if (key == Keys().end()) {
    return origin.At(key_node.Mark(), "unknown key \"{}\"; known keys: {}", name.substr(0, 40), KnownKeys());
  }
  if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
    return origin.At(key_node.Mark(), "key \"{}\" is given twice", name);
  }
  seen.push_back(name);
  return key->read(origin, value, config);
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

Result<ModelConfig> ReadDocument(const Origin& origin, const std::string& text) {
  const YAML::Node document = YAML::Load(text);
  SNUG_RETURN_IF_ERROR(CheckOneDocument(origin, text));
  ModelConfig config;
  if (document.IsNull()) return config;
  if (!document.IsMap()) {
    return origin.At(document.Mark(), "expected lines of `key: value`, got {}; known keys: {}",
                     Describe(document), KnownKeys());
  }
  std::vector<std::string> seen;
  for (const auto& pair : document) {
    SNUG_RETURN_IF_ERROR(ReadPair(origin, pair.first, pair.second, config, seen));
  }
  return config;
}

}  // namespace

Result<ModelConfig> ParseModelConfig(std::string_view yaml, std::string_view origin_name) {
  const Origin origin(origin_name);
  if (yaml.size() > kModelYamlBytesMax) {
    return origin.At(YAML::Mark::null_mark(), "{} bytes, at most {} are read", yaml.size(),
                     kModelYamlBytesMax);
  }
  try {
    return ReadDocument(origin, std::string(yaml));
  } catch (const YAML::Exception& e) {
    return origin.At(e.mark, "not valid YAML: {}", e.msg);
  } catch (const std::exception& e) {
    return origin.At(YAML::Mark::null_mark(), "not valid YAML: {}", e.what());
  }
}

}  // namespace snug::repository
