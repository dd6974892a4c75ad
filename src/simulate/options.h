// Values of the simulator's flags.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace snug::simulate {

inline constexpr size_t kSeedsMax = 1000;
inline constexpr size_t kPoliciesMax = 32;

// "42-51", "1,5,9", "1,42-46". INVALID_ARGUMENT for anything else or more than kSeedsMax.
Result<std::vector<uint64_t>> ParseSeeds(std::string_view text);
// "a,b"; no empty names.
Result<std::vector<std::string>> ParseNames(std::string_view text);
// "0.5:2" or "1"; 0 < low <= high <= 1e6.
Result<std::pair<double, double>> ParseRange(std::string_view text);

}  // namespace snug::simulate
