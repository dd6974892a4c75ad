#include "placement/fleet_risk.h"

#include <algorithm>
#include <cmath>

namespace snug::placement {
namespace {

constexpr double kUnseenJump = 0.05;     // what a model may do that it never did
constexpr double kCaptiveLoadMax = 0.9;  // where Crowding ends to grow
constexpr double kThirdHome = 0.5;  // worth of a third home over that of a second on a card without captives
constexpr double kFurtherHome = 0.3;  // … and of each further one over the one before
constexpr double kMemoryGbMin = 0.01;
constexpr double kActivityMax = 0.99;  // nobody is active for certain

double PerGb(double worth, const FleetModel& model) {
  return worth / std::max(kMemoryGbMin, model.memory_gb);
}

// The chance that a minute has no load of the model.
double Quiet(const FleetModel& model) {
  return 1 - std::min(model.activity, kActivityMax);
}

// Of the home that follows `homes` others, two at least.
double WorthOfFurther(const FleetModel& model, size_t homes) {
  double worth = kThirdHome * (JumpRisk(model) + model.recent_load);
  for (size_t h = 2; h < homes; ++h) worth *= kFurtherHome;
  return PerGb(worth, model);
}

}  // namespace

double JumpRisk(const FleetModel& model) {
  double jump = model.surprise + kUnseenJump;
  return jump * std::sqrt(jump);
}

double Crowding(double captive_load) {
  double room = 1 - std::clamp(captive_load, 0.0, kCaptiveLoadMax);
  return 1 / (room * room * room * room);
}

void Captives::Sums::Add(const FleetModel& model) {
  double jump = JumpRisk(model), quiet = Quiet(model);
  jumps += jump;
  load += model.recent_load;
  all_quiet *= quiet;
  jumps_over_quiet += jump / quiet;
}

void Captives::Sums::Remove(const FleetModel& model) {
  double jump = JumpRisk(model), quiet = Quiet(model);
  jumps -= jump;
  load -= model.recent_load;
  all_quiet /= quiet;
  jumps_over_quiet -= jump / quiet;
}

// The chance that a captive other than j is active is 1 - all_quiet / (1 - activity of j).
double Captives::Sums::Risk() const {
  double beside_active = jumps - all_quiet * jumps_over_quiet;
  return std::max(0.0, jumps + beside_active) * Crowding(load);
}

Captives::Captives(const Fleet& fleet) : cards_(fleet.cards.size()) {
  for (const FleetModel& model : fleet.models) {
    if (model.homes.size() == 1) cards_[model.homes[0].card].Add(model);
  }
}

double Captives::Risk(uint32_t card) const {
  return cards_[card].Risk();
}

double Captives::RiskWith(uint32_t card, const FleetModel& model) const {
  Sums sums = cards_[card];
  sums.Add(model);
  return sums.Risk();
}

double Captives::RiskWithout(uint32_t card, const FleetModel& model) const {
  Sums sums = cards_[card];
  sums.Remove(model);
  return sums.Risk();
}

double WorthOfOneMore(const FleetModel& model, const Captives& captives) {
  if (model.homes.size() != 1) return WorthOfFurther(model, model.homes.size());
  uint32_t card = model.homes[0].card;
  return PerGb(captives.Risk(card) - captives.RiskWithout(card, model), model);
}

double WorthOfHome(const FleetModel& model, uint32_t card, const Captives& captives) {
  if (model.homes.size() > 2) return WorthOfFurther(model, model.homes.size() - 1);
  uint32_t other = model.homes[model.homes[0].card == card ? 1 : 0].card;
  return PerGb(RiskOfOnlyHome(model, other, captives), model);
}

double RiskOfOnlyHome(const FleetModel& model, uint32_t card, const Captives& captives) {
  return captives.RiskWith(card, model) - captives.Risk(card);
}

}  // namespace snug::placement
