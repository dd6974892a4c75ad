// The departments' quotas as people write them: "cars=4,homes=2.5" are cards (groups) of which a department's
// copies may ask for the shares. Departments that are not named have no limit.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace snug::controller {

inline constexpr size_t kQuotasMax = 256;
inline constexpr double kQuotaCardsMax = 1e6;

// INVALID_ARGUMENT names the entry that is wrong.
Result<std::map<std::string, double>> ParseQuotas(std::string_view text);

}  // namespace snug::controller
