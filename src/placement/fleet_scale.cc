#include "placement/fleet_scale.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace snug::placement {
namespace {

constexpr size_t kDay = 1440, kHalfHour = 30, kRecent = 15;  // minutes
constexpr double kTrendMin = 0.7, kTrendMax = 1.4;

// The highest of the `minutes` values that end `ago` minutes before now; as many as there are.
double Peak(const std::vector<double>& sums, size_t minutes, size_t ago = 0) {
  auto end = sums.end() - static_cast<std::ptrdiff_t>(ago);
  auto there = static_cast<size_t>(end - sums.begin());
  return *std::max_element(end - static_cast<std::ptrdiff_t>(std::min(minutes, there)), end);
}

double Expected(const std::vector<double>& sums) {
  double yesterday = Peak(sums, kHalfHour, kDay);
  double trend = std::clamp(Peak(sums, kHalfHour) / std::max(1e-6, yesterday), kTrendMin, kTrendMax);
  return Peak(sums, kHalfHour, kDay - kHalfHour) * trend;
}

}  // namespace

size_t CardsWanted(const std::vector<double>& sums, double models_memory_gb, double card_memory_gb,
                   size_t cards_max, const ScaleLimits& limits) {
  if (sums.size() < kDay + kHalfHour) return cards_max;
  double by_load = std::max({limits.headroom * Peak(sums, kRecent), limits.ahead_headroom * Expected(sums),
                             Peak(sums, std::max<size_t>(1, limits.kept_minutes))});
  double by_memory = card_memory_gb > 0 ? models_memory_gb / (limits.memory_fill * card_memory_gb) : 0;
  double cards = std::ceil(std::max({by_load, by_memory, 1.0}) - 1e-9);
  return std::min(cards_max, static_cast<size_t>(cards));
}

}  // namespace snug::placement
