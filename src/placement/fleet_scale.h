// How many cards of a fleet are on, hour by hour: the rest is given to others and taken back before it is
// needed. Pure. Loads are in cards, memory in GB.
#pragma once

#include <cstddef>
#include <vector>

namespace snug::placement {

struct ScaleLimits {
  double headroom = 1.0;      // over the peak that is expected
  double memory_fill = 0.78;  // of the memory of the cards that are on by one copy of each model
  double hurry_above = 0.9;  // summed load over cards on above which cards are taken back within the hour …
  double hurry_to = 0.86;    // … down to this
};

// At the full hour, from the summed load minute by minute until now. Expected is what the last half hour had,
// or what the coming hour had yesterday, scaled by how much today's last half hour differs from yesterday's.
// `sums` holds a day at least, else `cards_max` is the answer.
size_t CardsForNextHour(const std::vector<double>& sums, double models_memory_gb, double card_memory_gb,
                        size_t cards_max, const ScaleLimits& limits);

// Within the hour: what is wanted now, never less than `cards_wanted`.
size_t CardsInHurry(double sum_now, size_t cards_wanted, size_t cards_max, const ScaleLimits& limits);

}  // namespace snug::placement
