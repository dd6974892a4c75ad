#include <yaml-cpp/yaml.h>

#include <cmath>

#include "repository/config_sections.h"
#include "repository/limits.h"

namespace snug::repository {
namespace {

Result<double> ReadNumber(const Origin& origin, std::string_view path, const YAML::Node& node) {
  if (IsPlain(node)) {
    auto value = ParseWhole<double>(node.Scalar());
    if (value && std::abs(*value) <= kControlValueMax) return *value;
  }
  return origin.At(node.Mark(), "{}: expected a number from -{} to {}, got {}", path, kControlValueMax,
                   kControlValueMax, Describe(node));
}

// `START`, or {input: START, values: [0, 1]}.
Status ReadControl(const Origin& origin, const std::string& path, const YAML::Node& node,
                   SequenceControlConfig& control) {
  if (node.IsScalar()) return Store(ReadTensorName(origin, path, node), control.input);
  auto values = [&](const YAML::Node& n) -> Status {
    if (!n.IsSequence() || n.size() != 2) {
      return origin.At(n.Mark(), "{}.values: expected two numbers, for false and true, got {}", path,
                       Describe(n));
    }
    SNUG_RETURN_IF_ERROR(Store(ReadNumber(origin, path + ".values", n[0]), control.value_false));
    return Store(ReadNumber(origin, path + ".values", n[1]), control.value_true);
  };
  SNUG_RETURN_IF_ERROR(ReadFields(
      origin, path, node,
      {{"input", [&](const YAML::Node& n) { return Store(ReadTensorName(origin, path, n), control.input); }},
       {"values", values}}));
  return control.input.empty() ? origin.At(node.Mark(), "{}: `input` is missing", path) : Status();
}

Result<std::vector<int64_t>> ReadStateShape(const Origin& origin, const YAML::Node& node) {
  std::vector<int64_t> shape;
  if (!node.IsSequence() || node.size() > kStateRankMax) {
    return origin.At(node.Mark(), "sequence.states: shape: expected a list of up to {} dimensions, got {}",
                     kStateRankMax, Describe(node));
  }
  for (const auto& item : node) {
    SNUG_ASSIGN_OR_RETURN(const int dim, ReadInt(origin, "sequence.states: shape", item, kStateDimMax));
    shape.push_back(dim);
  }
  return shape;
}

Result<SequenceStateConfig> ReadState(const Origin& origin, const YAML::Node& node) {
  SequenceStateConfig state;
  const std::string path = "sequence.states";
  auto name = [&](std::string_view key, std::string& field) {
    return Field{key, [&](const YAML::Node& n) { return Store(ReadTensorName(origin, path, n), field); }};
  };
  SNUG_RETURN_IF_ERROR(ReadFields(
      origin, path, node,
      {name("input", state.input),
       name("output", state.output),
       {"shape", [&](const YAML::Node& n) { return Store(ReadStateShape(origin, n), state.shape); }}}));
  if (state.input.empty() || state.output.empty())
    return origin.At(node.Mark(), "{}: expected `input` and `output`, and maybe `shape`", path);
  return state;
}

Result<std::vector<SequenceStateConfig>> ReadStates(const Origin& origin, const YAML::Node& node) {
  std::vector<SequenceStateConfig> states;
  if (!node.IsSequence() || node.size() == 0 || node.size() > kStatesMax) {
    return origin.At(node.Mark(), "sequence.states: expected a list of 1 to {} maps, got {}", kStatesMax,
                     Describe(node));
  }
  for (const auto& item : node) {
    SNUG_ASSIGN_OR_RETURN(states.emplace_back(), ReadState(origin, item));
  }
  return states;
}

Status ReadStrategy(const Origin& origin, const YAML::Node& node, bool& oldest) {
  const std::string text = node.IsScalar() ? node.Scalar() : "";
  oldest = text == "oldest";
  if (text == "oldest" || text == "direct") return {};
  return origin.At(node.Mark(), "sequence.strategy: expected direct or oldest, got {}", Describe(node));
}

}  // namespace

Result<SequenceConfig> ReadSequence(const Origin& origin, const YAML::Node& node) {
  SequenceConfig sequence;
  sequence.on = true;
  const std::string path = "sequence";
  auto controls = [&](const YAML::Node& n) {
    auto control = [&](std::string_view key, SequenceControlConfig& field) {
      return Field{key, [&, key](const YAML::Node& value) {
                     return ReadControl(origin, fmt::format("sequence.controls.{}", key), value, field);
                   }};
    };
    return ReadFields(origin, "sequence.controls", n,
                      {control("start", sequence.start), control("end", sequence.end),
                       control("ready", sequence.ready), control("corrid", sequence.corrid)});
  };
  SNUG_RETURN_IF_ERROR(ReadFields(
      origin, path, node,
      {{"strategy", [&](const YAML::Node& n) { return ReadStrategy(origin, n, sequence.oldest); }},
       IntField(origin, path, "rows_max", kBatchRowsMax, sequence.rows_max),
       IntField(origin, path, "sequences_max", kSequencesMax, sequence.sequences_max),
       IntField(origin, path, "backlog_max", kSequencesMax, sequence.backlog_max),
       IntField(origin, path, "idle_ms_max", kSequenceIdleMsMax, sequence.idle_ms_max),
       {"controls", controls},
       {"states", [&](const YAML::Node& n) { return Store(ReadStates(origin, n), sequence.states); }}}));
  if (!sequence.oldest && sequence.sequences_max != 0) {
    return origin.At(
        node.Mark(),
        "sequence: sequences_max is of `strategy: oldest`; with direct, rows_max of each instance "
        "says how many there are at a time");
  }
  return sequence;
}

}  // namespace snug::repository
