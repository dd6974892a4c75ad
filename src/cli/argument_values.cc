#include "cli/argument_values.h"

#include <charconv>
#include <sstream>
#include <string_view>

#include "repository/repository.h"

namespace snug::cli {
namespace {

template <typename Number>
bool ParseInt(std::string_view text, Number& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string CheckName(const std::string& text) {
  Status status = repository::CheckModelName(text);
  return status.text();
}

std::string CheckVersion(const std::string& text) {
  auto version = repository::ParseVersion(text);
  return version.ok() ? "" : version.status().text();
}

std::string CheckKeyValue(const std::string& text) {
  size_t equals = text.find('=');
  bool good = equals != std::string::npos && equals > 0;
  return good ? "" : "expected KEY=VALUE, got " + text;
}

std::pair<std::string, std::string> SplitKeyValue(const std::string& text) {
  size_t equals = text.find('=');
  return {text.substr(0, equals), text.substr(equals + 1)};
}

Json OptionValue(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() || value.is_object() || value.is_array() ? Json(text) : value;
}

std::optional<std::pair<std::string, std::vector<int64_t>>> ParseShape(const std::string& text) {
  auto [name, dims_text] = SplitKeyValue(text);
  std::vector<int64_t> dims;
  std::istringstream stream(dims_text);
  for (std::string dim; std::getline(stream, dim, ',');) {
    int64_t number = -1;
    if (!ParseInt(dim, number) || number < 0) return std::nullopt;
    dims.push_back(number);
  }
  return std::pair{name, dims};
}

std::string CheckShape(const std::string& text) {
  if (std::string problem = CheckKeyValue(text); !problem.empty()) return problem;
  return ParseShape(text) ? "" : "expected INPUT=DIM,DIM,… as in x=1,3,224,224, got " + text;
}

std::optional<std::pair<int64_t, int>> ParseWeight(const std::string& text) {
  size_t split = text.find_first_of("=:");
  if (split == std::string::npos) return std::nullopt;
  auto version = repository::ParseVersion(text.substr(0, split));
  int weight = -1;
  bool number = ParseInt(std::string_view(text).substr(split + 1), weight);
  if (!version.ok() || !number || weight < 0 || weight > 10000) return std::nullopt;
  return std::pair{*version, weight};
}

std::string CheckWeight(const std::string& text) {
  return ParseWeight(text) ? ""
                           : "expected VERSION=WEIGHT with a weight of 0 to 10000, as in 3=90, got " + text;
}

}  // namespace snug::cli
