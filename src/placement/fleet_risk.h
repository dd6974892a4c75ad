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

// The risk of each card: over the models that have their only home there, the jump of each times 1 + the
// chance that another is active in that minute (a jump fills the card by itself at most); that times Crowding
// of their load.
class Captives {
 public:
  explicit Captives(const Fleet& fleet);

  double Risk(uint32_t card) const;
  // What it would be with, or is without, the model's only home there.
  double RiskWith(uint32_t card, const FleetModel& model) const;
  double RiskWithout(uint32_t card, const FleetModel& model) const;

 private:
  struct Sums {
    double jumps = 0;             // of JumpRisk
    double load = 0;              // of recent loads
    double all_quiet = 1;         // the chance that none is active
    double jumps_over_quiet = 0;  // of JumpRisk / (1 - activity)

    void Add(const FleetModel& model);
    void Remove(const FleetModel& model);
    double Risk() const;
  };

  std::vector<Sums> cards_;
};

// By how much the fleet's risk falls with one more home of the model, or would rise without its home on
// `card`, a GB of its memory.
double WorthOfOneMore(const FleetModel& model, const Captives& captives);
double WorthOfHome(const FleetModel& model, uint32_t card, const Captives& captives);

// By how much the risk of `card` rises when a model that is not there has its only home there.
double RiskOfOnlyHome(const FleetModel& model, uint32_t card, const Captives& captives);

}  // namespace snug::placement
