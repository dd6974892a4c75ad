#include "simulate/options.h"

#include <charconv>

namespace snug::simulate {
namespace {

constexpr double kRangeMax = 1e6;

std::vector<std::string_view> SplitAt(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename T>
bool Number(std::string_view text, T& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<std::vector<uint64_t>> ParseSeeds(std::string_view text) {
  std::vector<uint64_t> seeds;
  for (std::string_view part : SplitAt(text, ',')) {
    auto ends = SplitAt(part, '-');
    uint64_t first = 0, last = 0;
    if (ends.size() > 2 || !Number(ends.front(), first) || !Number(ends.back(), last) || first > last ||
        last - first >= kSeedsMax || seeds.size() + (last - first) >= kSeedsMax) {
      return InvalidArgument("--seeds {}: expected numbers and ranges such as 42-51 or 1,5,9, at most {}",
                             text, kSeedsMax);
    }
    // Counted by offset: a range may end at the largest number there is.
    for (uint64_t offset = 0; offset <= last - first; ++offset) seeds.push_back(first + offset);
  }
  return seeds;
}

Result<std::vector<std::string>> ParseNames(std::string_view text) {
  std::vector<std::string> names;
  for (std::string_view part : SplitAt(text, ',')) {
    if (part.empty() || names.size() == kPoliciesMax) {
      return InvalidArgument("--policy {}: expected names with commas between them, at most {}", text,
                             kPoliciesMax);
    }
    names.emplace_back(part);
  }
  return names;
}

Result<std::pair<double, double>> ParseRange(std::string_view text) {
  auto ends = SplitAt(text, ':');
  double low = 0, high = 0;
  if (ends.size() > 2 || !Number(ends.front(), low) || !Number(ends.back(), high) || !(low > 0) ||
      !(low <= high) || !(high <= kRangeMax)) {
    return InvalidArgument("{}: expected a number or a range such as 0.5:2", text);
  }
  return std::pair{low, high};
}

}  // namespace snug::simulate
