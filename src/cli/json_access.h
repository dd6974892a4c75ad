// Reading JSON that somebody else wrote: a field that is missing or of another type gives the fallback, never
// an exception.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/status.h"

namespace snug::cli {

using Json = nlohmann::json;

inline const Json& Field(const Json& object, std::string_view key) {
  static const Json null;
  if (!object.is_object()) return null;
  auto found = object.find(key);
  return found == object.end() ? null : *found;
}

inline std::string TextOf(const Json& object, std::string_view key) {
  const Json& value = Field(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

inline int64_t NumberOf(const Json& object, std::string_view key, int64_t fallback = 0) {
  const Json& value = Field(object, key);
  return value.is_number() ? value.get<int64_t>() : fallback;
}

inline double RealOf(const Json& object, std::string_view key, double fallback = 0) {
  const Json& value = Field(object, key);
  return value.is_number() ? value.get<double>() : fallback;
}

inline bool FlagOf(const Json& object, std::string_view key) {
  const Json& value = Field(object, key);
  return value.is_boolean() && value.get<bool>();
}

// The elements of an array; none when it is not one.
inline const Json& ListOf(const Json& object, std::string_view key) {
  static const Json none = Json::array();
  const Json& value = Field(object, key);
  return value.is_array() ? value : none;
}

inline std::string Dump(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

inline Result<Json> ParseJson(std::string_view text, std::string_view what) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return InvalidArgument("{} is not JSON: {}", what, text.substr(0, 200));
  return json;
}

}  // namespace snug::cli
