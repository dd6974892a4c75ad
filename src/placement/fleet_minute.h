// The minute loop of a fleet: copies are made where they are needed and taken away where room is needed,
// cards are given back and taken again. Pure.
#pragma once

#include <vector>

#include "placement/fleet.h"

namespace snug::placement {

// What to do now, to be carried out in this order. A copy that is loaded serves from the next minute on.
// Rescues models without a home first, whatever the limit of loads; then relieves hot cards; then turns cards
// on or closes them so that cards_wanted are on; in quiet minutes gives second homes to the models whose
// bursts would hurt most. Never evicts a model's last home, never fills a card above its memory.
std::vector<Change> PlanMinute(const Fleet& fleet, size_t cards_wanted, const FleetLimits& limits);

}  // namespace snug::placement
