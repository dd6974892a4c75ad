// Whole numbers out of JSON that another process wrote.
#pragma once

#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace snug {

// Throws std::out_of_range for what is no whole number or does not fit into T: nlohmann's get<T> converts
// doubles, whose behaviour is undefined where they do not fit.
template <std::integral T, typename Json>
T WholeNumber(const Json& json) {
  if (json.is_number_unsigned()) {
    const auto value = json.template get<uint64_t>();
    if (std::in_range<T>(value)) return static_cast<T>(value);
  } else if (json.is_number_integer()) {
    const auto value = json.template get<int64_t>();
    if (std::in_range<T>(value)) return static_cast<T>(value);
  }
  throw std::out_of_range("expected a whole number of " + std::to_string(8 * sizeof(T)) + " bits");
}

template <std::integral T, typename Json>
std::vector<T> WholeNumbers(const Json& list) {
  if (!list.is_array()) throw std::out_of_range("expected a list of whole numbers");
  std::vector<T> numbers;
  numbers.reserve(list.size());
  for (const auto& one : list) numbers.push_back(WholeNumber<T>(one));
  return numbers;
}

}  // namespace snug
