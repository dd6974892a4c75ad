// How many cards a fleet has, the homes to begin with, and the nightly repack. Pure.
#pragma once

#include <vector>

#include "placement/fleet.h"

namespace snug::placement {

// ceil(max(headroom * peak, memory / (memory_fill * card's memory))), at least 1.
size_t FleetSize(double peak_of_sum, double models_memory_gb, double card_memory_gb,
                 const FleetLimits& limits);

// Cards for the models with a guaranteed share, first fit by falling share, and a spare for when one of them
// fails. 0 without such models.
size_t GuaranteedCards(const std::vector<FleetModel>& models, double card_memory_gb);

// First homes: largest memory first, each on the card where the peak of the summed profiles is lowest and
// memory suffices; then second homes, as far as copies_fill of the memory goes, for the models with the
// highest load and surprise a GB. Models with a guaranteed share get one home, on the cards of their class,
// first fit by falling share. profiles[model][bucket] in cards. Models that fit nowhere keep no home.
void PlanHomes(Fleet& fleet, const std::vector<std::vector<float>>& profiles, const FleetLimits& limits);

}  // namespace snug::placement
