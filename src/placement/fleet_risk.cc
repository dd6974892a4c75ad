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

double PerGb(double worth, const FleetModel& model) {
  return worth / std::max(kMemoryGbMin, model.memory_gb);
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

Captives::Captives(const Fleet& fleet) : risk(fleet.cards.size(), 0.0), load(fleet.cards.size(), 0.0) {
  for (const FleetModel& model : fleet.models) {
    if (model.homes.size() != 1) continue;
    risk[model.homes[0].card] += JumpRisk(model);
    load[model.homes[0].card] += model.recent_load;
  }
}

double WorthOfOneMore(const FleetModel& model, const Captives& captives) {
  if (model.homes.size() != 1) return WorthOfFurther(model, model.homes.size());
  uint32_t card = model.homes[0].card;
  double risk = captives.risk[card], load = captives.load[card];
  double without = (risk - JumpRisk(model)) * Crowding(load - model.recent_load);
  return PerGb(risk * Crowding(load) - without, model);
}

double WorthOfHome(const FleetModel& model, uint32_t card, const Captives& captives) {
  if (model.homes.size() > 2) return WorthOfFurther(model, model.homes.size() - 1);
  uint32_t other = model.homes[model.homes[0].card == card ? 1 : 0].card;
  return PerGb(RiskOfOnlyHome(model, other, captives), model);
}

double RiskOfOnlyHome(const FleetModel& model, uint32_t card, const Captives& captives) {
  double risk = captives.risk[card], load = captives.load[card];
  return (risk + JumpRisk(model)) * Crowding(load + model.recent_load) - risk * Crowding(load);
}

}  // namespace snug::placement
