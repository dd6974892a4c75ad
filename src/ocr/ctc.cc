#include "ocr/ctc.h"

#include <algorithm>
#include <limits>

#include "base/utf8.h"

namespace snug::ocr {
namespace {

// Independent lanes: the compiler turns them into vector registers, which it may not do with one running
// maximum.
constexpr size_t kLanes = 32;

float Max(const float* values, size_t count) {
  float lanes[kLanes];
  std::fill(lanes, lanes + kLanes, -std::numeric_limits<float>::infinity());
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float value = values[i + lane];
      lanes[lane] = value > lanes[lane] ? value : lanes[lane];
    }
  }
  for (; i < count; ++i) lanes[0] = values[i] > lanes[0] ? values[i] : lanes[0];
  return *std::max_element(lanes, lanes + kLanes);
}

std::string_view WithoutCarriageReturn(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

Result<Alphabet> Alphabet::Parse(std::string_view text) {
  if (text.size() > kDictionaryBytesMax) return InvalidArgument("more than {} bytes", kDictionaryBytesMax);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) return InvalidArgument("it is empty: expected one entry a line");
  Alphabet alphabet;
  alphabet.entries_.emplace_back();  // blank
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view entry = WithoutCarriageReturn(text.substr(begin, end - begin));
    if (alphabet.entries_.size() > kDictionaryEntriesMax)
      return InvalidArgument("more than {} lines", kDictionaryEntriesMax);
    if (entry.size() > kDictionaryEntryBytesMax || !IsUtf8(entry)) {
      return InvalidArgument("line {}: expected at most {} bytes of UTF-8", alphabet.entries_.size(),
                             kDictionaryEntryBytesMax);
    }
    alphabet.entries_.emplace_back(entry);
    begin = end + 1;
  }
  alphabet.entries_.emplace_back(" ");
  return alphabet;
}

size_t ArgMax(const float* values, size_t count) {
  const float* end = values + count;
  const float* at = std::find(values, end, Max(values, count));
  return static_cast<size_t>(at - values);
}

Result<std::vector<Mark>> DecodeGreedy(const float* probabilities, size_t steps, size_t classes) {
  constexpr size_t kBlank = 0;
  std::vector<Mark> marks;
  size_t previous = kBlank;
  for (size_t step = 0; step < steps; ++step) {
    const float* row = probabilities + step * classes;
    const size_t index = ArgMax(row, classes);
    if (index == classes)
      return Internal("the model's output holds no numbers at step {} of {}", step, steps);
    if (index != kBlank && index != previous) marks.push_back({index, step, row[index]});
    previous = index;
  }
  return marks;
}

std::string TextOf(const std::vector<Mark>& marks, const Alphabet& alphabet) {
  std::string text;
  for (const Mark& mark : marks) text += alphabet[mark.index];
  return text;
}

double MeanScore(const std::vector<Mark>& marks) {
  if (marks.empty()) return 0;
  double sum = 0;
  for (const Mark& mark : marks) sum += static_cast<double>(mark.score);
  return sum / static_cast<double>(marks.size());
}

}  // namespace snug::ocr
