// From a recogniser's probabilities to text: greedy CTC. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace snug::ocr {

// What each class of the model means: class 0 is blank, then the dictionary's entries, then a space.
class Alphabet {
 public:
  // `text`: a dictionary file, one entry a line, UTF-8. INVALID_ARGUMENT naming the line that is not.
  static Result<Alphabet> Parse(std::string_view text);

  size_t classes() const { return entries_.size(); }
  size_t dictionary_entries() const { return entries_.size() - 2; }
  const std::string& operator[](size_t index) const { return entries_[index]; }

 private:
  std::vector<std::string> entries_;
};

inline constexpr size_t kDictionaryBytesMax = size_t{4} << 20;
inline constexpr size_t kDictionaryEntriesMax = 200000;
inline constexpr size_t kDictionaryEntryBytesMax = 64;

// One character that was read.
struct Mark {
  size_t index = 0;  // its class
  size_t step = 0;   // where in the line: of `steps`
  float score = 0;   // its probability
};

// The marks that are left of `probabilities` [steps, classes] when repetitions are joined and blanks dropped.
// INTERNAL when a step holds no number that is larger than minus infinity (NaN throughout).
Result<std::vector<Mark>> DecodeGreedy(const float* probabilities, size_t steps, size_t classes);

// Index of the first largest number; `count` when there is none. count >= 1.
size_t ArgMax(const float* values, size_t count);

std::string TextOf(const std::vector<Mark>& marks, const Alphabet& alphabet);
// Mean of the marks' scores, 0 without any.
double MeanScore(const std::vector<Mark>& marks);

}  // namespace snug::ocr
