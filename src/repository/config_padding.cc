#include "repository/config_sections.h"
#include "repository/limits.h"

namespace snug::repository {
namespace {

constexpr std::string_view kPath = "batching.padding";

Field NameField(const Origin& origin, std::string& to) {
  return {"name", [&](const YAML::Node& n) { return Store(ReadTensorName(origin, kPath, n), to); }};
}

Result<PaddedInputConfig> ReadInput(const Origin& origin, const YAML::Node& node) {
  PaddedInputConfig input;
  bool has_value = false;
  auto value = [&](const YAML::Node& n) {
    has_value = true;
    return NumberField(origin, kPath, "value", -kPaddingValueMax, kPaddingValueMax, input.value).read(n);
  };
  SNUG_RETURN_IF_ERROR(ReadFields(origin, kPath, node,
                                  {NameField(origin, input.name),
                                   IntField(origin, kPath, "dim", kPaddedDimMax, input.dim),
                                   {"value", value}}));
  if (!input.name.empty() && input.dim > 0 && has_value) return input;
  return origin.At(node.Mark(), "{}: an input needs `name`, `dim` and `value` (what it is padded with)",
                   kPath);
}

Result<CutOutputConfig> ReadOutput(const Origin& origin, const YAML::Node& node) {
  CutOutputConfig output;
  SNUG_RETURN_IF_ERROR(
      ReadFields(origin, kPath, node,
                 {NameField(origin, output.name), IntField(origin, kPath, "dim", kPaddedDimMax, output.dim),
                  IntField(origin, kPath, "per", kPaddedLengthMax, output.per)}));
  if (!output.name.empty() && output.dim > 0) return output;
  return origin.At(node.Mark(), "{}: an output needs `name` and `dim`, and maybe `per`", kPath);
}

template <typename T>
Status ReadTensors(const Origin& origin, std::string_view key, const YAML::Node& node,
                   Result<T> (*read)(const Origin&, const YAML::Node&), std::vector<T>& tensors) {
  if (!node.IsSequence() || node.size() == 0 || node.size() > kPaddedTensorsMax) {
    return origin.At(node.Mark(), "{}.{}: expected a list of 1 to {} maps, got {}", kPath, key,
                     kPaddedTensorsMax, Describe(node));
  }
  for (const auto& item : node) {
    SNUG_ASSIGN_OR_RETURN(tensors.emplace_back(), read(origin, item));
  }
  return {};
}

Result<PaddingConfig> ReadLength(const Origin& origin, const YAML::Node& node) {
  PaddingConfig length;
  auto buckets = [&](const YAML::Node& n) {
    return Store(ReadAscending(origin, "batching.padding.buckets", n, kPaddingBucketsMax, kPaddedLengthMax),
                 length.buckets);
  };
  auto inputs = [&](const YAML::Node& n) {
    return ReadTensors(origin, "inputs", n, ReadInput, length.inputs);
  };
  auto outputs = [&](const YAML::Node& n) {
    return ReadTensors(origin, "outputs", n, ReadOutput, length.outputs);
  };
  SNUG_RETURN_IF_ERROR(
      ReadFields(origin, kPath, node, {{"buckets", buckets}, {"inputs", inputs}, {"outputs", outputs}}));
  if (!length.buckets.empty() && !length.inputs.empty()) return length;
  return origin.At(node.Mark(), "{}: a length needs `buckets` and `inputs`", kPath);
}

}  // namespace

Result<std::vector<PaddingConfig>> ReadPadding(const Origin& origin, const YAML::Node& node) {
  std::vector<PaddingConfig> lengths;
  if (!node.IsSequence() || node.size() == 0 || node.size() > kPaddedLengthsMax) {
    return origin.At(node.Mark(), "{}: expected a list of 1 to {} lengths, got {}", kPath, kPaddedLengthsMax,
                     Describe(node));
  }
  for (const auto& item : node) {
    SNUG_ASSIGN_OR_RETURN(lengths.emplace_back(), ReadLength(origin, item));
  }
  return lengths;
}

}  // namespace snug::repository
