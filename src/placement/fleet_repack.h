// The nightly repack of a fleet: homes that should be others. Pure.
#pragma once

#include <vector>

#include "placement/fleet.h"

namespace snug::placement {

struct FleetRepack {
  std::vector<Change> now;   // copies that make room, then the new homes
  std::vector<Change> then;  // a minute later, when these serve: the homes that they replace
};

// Moves models with one home so that those who may jump do not share a card with much load that has nowhere
// else to go, judged by the peak of the summed profiles[model][bucket], in cards. Each move lowers the
// fleet's risk by repack_gain_min at least, the most valuable first, `moves_max` at most. Repeated, it
// ends: what need not move stays. Room is made by the copies worth least, never by a last home; no card gets
// above its memory, even while models have both homes.
FleetRepack PlanRepack(const Fleet& fleet, const std::vector<std::vector<float>>& profiles, size_t moves_max,
                       const FleetLimits& limits);

}  // namespace snug::placement
