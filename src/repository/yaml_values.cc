#include "repository/yaml_values.h"

#include <algorithm>
#include <cstdint>

#include "repository/limits.h"

namespace snug::repository {
namespace {

constexpr size_t kShownMax = 40;

std::string KnownKeys(const std::vector<Field>& fields) {
  std::string text;
  for (const Field& field : fields) text += fmt::format("{}{}", text.empty() ? "" : ", ", field.name);
  return text;
}

}  // namespace

// Quoted scalars have the tag "!", plain ones "?".
bool IsPlain(const YAML::Node& node) {
  return node.IsScalar() && node.Tag() != "!";
}

std::string Describe(const YAML::Node& node) {
  if (!node.IsDefined() || node.IsNull()) return "nothing";
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  std::string text = node.Scalar();
  if (text.size() > kShownMax) text = text.substr(0, kShownMax) + "…";
  return IsPlain(node) ? text : fmt::format("the text \"{}\"", text);
}

Status ReadFields(const Origin& origin, std::string_view path, const YAML::Node& node,
                  const std::vector<Field>& fields) {
  const std::string place = path.empty() ? "" : fmt::format("{}: ", path);
  if (!node.IsMap()) {
    return origin.At(node.Mark(), "{}expected {}, got {}; known keys: {}", place,
                     path.empty() ? "lines of `key: value`" : "a map", Describe(node), KnownKeys(fields));
  }
  std::vector<std::string> seen;
  for (const auto& pair : node) {
    if (!pair.first.IsScalar()) {
      return origin.At(pair.first.Mark(), "{}expected a key, got {}; known keys: {}", place,
                       Describe(pair.first), KnownKeys(fields));
    }
    const std::string& name = pair.first.Scalar();
    auto field = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == name; });
    if (field == fields.end()) {
      return origin.At(pair.first.Mark(), "{}unknown key \"{}\"; known keys: {}", place,
                       name.substr(0, kShownMax), KnownKeys(fields));
    }
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
      return origin.At(pair.first.Mark(), "{}key \"{}\" is given twice", place, name);
    }
    seen.push_back(name);
    SNUG_RETURN_IF_ERROR(field->read(pair.second));
  }
  return {};
}

Result<int> ReadInt(const Origin& origin, std::string_view key, const YAML::Node& node, int max) {
  if (IsPlain(node)) {
    if (auto value = ParseWhole<int64_t>(node.Scalar()); value && *value >= 1 && *value <= max) {
      return static_cast<int>(*value);
    }
  }
  return origin.At(node.Mark(), "{}: expected a whole number from 1 to {}, got {}", key, max, Describe(node));
}

Result<std::vector<int64_t>> ReadAscending(const Origin& origin, std::string_view key, const YAML::Node& node,
                                           size_t count_max, int max) {
  std::vector<int64_t> sizes;
  if (!node.IsSequence() || node.size() == 0 || node.size() > count_max)
    return origin.At(node.Mark(), "{}: expected a list of 1 to {} sizes, got {}", key, count_max,
                     Describe(node));
  for (const auto& item : node) {
    SNUG_ASSIGN_OR_RETURN(const int size, ReadInt(origin, key, item, max));
    if (!sizes.empty() && size <= sizes.back()) {
      return origin.At(item.Mark(), "{}: expected ascending sizes, got {} after {}", key, size, sizes.back());
    }
    sizes.push_back(size);
  }
  return sizes;
}

Result<std::string> ReadTensorName(const Origin& origin, std::string_view path, const YAML::Node& node) {
  if (node.IsScalar() && !node.Scalar().empty() && node.Scalar().size() <= kTensorNameBytesMax)
    return node.Scalar();
  return origin.At(node.Mark(), "{}: expected the name of a tensor, got {}", path, Describe(node));
}

namespace {

Result<double> ReadNumber(const Origin& origin, std::string_view key, const YAML::Node& node, double min,
                          double max) {
  if (IsPlain(node)) {
    if (auto value = ParseWhole<double>(node.Scalar()); value && *value >= min && *value <= max)
      return *value;
  }
  return origin.At(node.Mark(), "{}: expected a number from {} to {}, got {}", key, min, max, Describe(node));
}

std::string KeyPath(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

}  // namespace

Field NumberField(const Origin& origin, std::string_view path, std::string_view name, double min, double max,
                  double& to) {
  return {name, [&origin, key = KeyPath(path, name), min, max, &to](const YAML::Node& node) {
            return Store(ReadNumber(origin, key, node, min, max), to);
          }};
}

Field IntField(const Origin& origin, std::string_view path, std::string_view name, int max, int& to) {
  return {name, [&origin, key = KeyPath(path, name), max, &to](const YAML::Node& node) {
            return Store(ReadInt(origin, key, node, max), to);
          }};
}

}  // namespace snug::repository
