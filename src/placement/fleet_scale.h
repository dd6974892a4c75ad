// How many cards of a fleet are on, minute by minute: the rest is given to others and taken back before it is
// needed. Pure. Loads are in cards, memory in GB.
#pragma once

#include <cstddef>
#include <vector>

namespace snug::placement {

struct ScaleLimits {
  double headroom = 1.1;        // over the peak of the last quarter of an hour
  double ahead_headroom = 1.1;  // over what the coming half hour is expected to have
  double memory_fill = 0.78;    // of the memory of the cards that are on by one copy of each model
  size_t kept_minutes = 120;    // that as many cards stay on as a peak filled: a load that fell comes back
};

// From the summed load minute by minute until now. Expected is what the coming half hour had yesterday,
// scaled by how much today's last half hour differs from yesterday's. `sums` holds a day and half an hour at
// least, else `cards_max` is the answer.
size_t CardsWanted(const std::vector<double>& sums, double models_memory_gb, double card_memory_gb,
                   size_t cards_max, const ScaleLimits& limits);

}  // namespace snug::placement
