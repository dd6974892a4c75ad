// Reading values of model.yaml strictly, for the files that read its sections. The only room that sees
// yaml-cpp, here and in the .cc files beside.
#pragma once

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/status.h"

namespace snug::repository {

// Not in quotes: a number or a truth value may be meant.
bool IsPlain(const YAML::Node& node);
// What a value is, for error texts; long scalars are cut.
std::string Describe(const YAML::Node& node);

// The whole text as a number, else nothing.
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

template <typename T>
Status Store(Result<T> value, T& field) {
  if (!value.ok()) return value.status();
  field = std::move(value).value();
  return {};
}

// One key of a map, and what takes its value.
struct Field {
  std::string_view name;
  std::function<Status(const YAML::Node&)> read;
};

// Reads a map. `path` names it in errors; empty: it is the document. Unknown and repeated keys are errors
// that name the known ones.
Status ReadFields(const Origin& origin, std::string_view path, const YAML::Node& node,
                  const std::vector<Field>& fields);

// A whole number from 1 to `max`. `key` is the whole path, as "batching.rows_max".
Result<int> ReadInt(const Origin& origin, std::string_view key, const YAML::Node& node, int max);

// A list of 1 to `count_max` ascending whole numbers from 1 to `max`.
Result<std::vector<int64_t>> ReadAscending(const Origin& origin, std::string_view key, const YAML::Node& node,
                                           size_t count_max, int max);

Result<std::string> ReadTensorName(const Origin& origin, std::string_view path, const YAML::Node& node);

// The key `name` of the map `path` ("": of the document): an integer that goes into `to`.
Field IntField(const Origin& origin, std::string_view path, std::string_view name, int max, int& to);

// The same for a number from `min` to `max`.
Field NumberField(const Origin& origin, std::string_view path, std::string_view name, double min, double max,
                  double& to);

}  // namespace snug::repository
