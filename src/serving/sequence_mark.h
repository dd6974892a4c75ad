// What a request says of the sequence that it belongs to.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

namespace snug::serving {

// Of CorrelationId::text.
constexpr size_t kCorrelationTextBytesMax = 128;

// Of a sequence: a number, or a text. Neither: none.
struct CorrelationId {
  uint64_t number = 0;
  std::string text;

  bool empty() const { return number == 0 && text.empty(); }
  std::string Text() const { return text.empty() ? std::to_string(number) : text; }
  auto operator<=>(const CorrelationId&) const = default;
};

struct SequenceMark {
  CorrelationId id;
  bool start = false;
  bool end = false;
};

}  // namespace snug::serving
