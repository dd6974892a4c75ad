// What may overload a card: a model that has its only home there jumps, and the load of the other such
// models, which no router can send elsewhere, leaves it no room. Pure.
#pragma once

#include <vector>

#include "placement/fleet.h"

namespace snug::placement {

// How much a jump of this model is to be feared, whatever it does now: models that jumped far jump more
// often, too.
double JumpRisk(const FleetModel& model);

// By how much fear grows with the load that is captive on a card: 1 at none, 10,000 where nothing is left.
double Crowding(double captive_load);

// Per card, over the models that have their only home there.
struct Captives {
  explicit Captives(const Fleet& fleet);

  std::vector<double> risk;  // sum of JumpRisk
  std::vector<double> load;  // sum of recent loads
};

// By how much the fleet's risk falls with one more home of the model, or would rise without its home on
// `card`, a GB of its memory.
double WorthOfOneMore(const FleetModel& model, const Captives& captives);
double WorthOfHome(const FleetModel& model, uint32_t card, const Captives& captives);

// By how much the risk of `card` rises when a model that is not there has its only home there.
double RiskOfOnlyHome(const FleetModel& model, uint32_t card, const Captives& captives);

}  // namespace snug::placement
