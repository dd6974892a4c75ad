#include "placement/fleet_scale.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace snug::placement {

size_t CardsForNextHour(const std::vector<double>& sums, double models_memory_gb, double card_memory_gb,
                        size_t cards_max, const ScaleLimits& limits) {
  constexpr std::ptrdiff_t kDay = 1440, kHour = 60, kRecent = 30;
  if (sums.size() < static_cast<size_t>(kDay + kRecent)) return cards_max;
  auto now = sums.end();
  double recent = *std::max_element(now - kRecent, now);
  double recent_yesterday = *std::max_element(now - kDay - kRecent, now - kDay);
  double hour_yesterday = *std::max_element(now - kDay, now - kDay + kHour);
  double trend = std::clamp(recent / std::max(1e-6, recent_yesterday), 0.7, 1.4);
  double expected = std::max(recent, hour_yesterday * trend);
  double by_memory = card_memory_gb > 0 ? models_memory_gb / (limits.memory_fill * card_memory_gb) : 0;
  double cards = std::ceil(std::max({limits.headroom * expected, by_memory, 1.0}) - 1e-9);
  return std::min(cards_max, static_cast<size_t>(cards));
}

size_t CardsInHurry(double sum_now, size_t cards_wanted, size_t cards_max, const ScaleLimits& limits) {
  if (sum_now <= limits.hurry_above * static_cast<double>(cards_wanted)) return cards_wanted;
  auto cards = static_cast<size_t>(std::ceil(sum_now / limits.hurry_to));
  return std::min(cards_max, std::max(cards, cards_wanted));
}

}  // namespace snug::placement
