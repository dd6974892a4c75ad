#include "placement/fleet.h"

#include <algorithm>

namespace snug::placement {
namespace {

constexpr int kBalancePasses = 5;
constexpr double kShareTolerance = 1e-9;    // sums of decimal shares are not exact
constexpr double kRecentPart = 0.05;        // of the last minute in a model's recent load
constexpr double kActivityPart = 1.0 / 60;  // of the last minute in its activity
constexpr double kSurpriseKept = 0.99984;   // per minute: half in three days

void Forget(Fleet& fleet, uint32_t m, uint32_t card) {
  auto& homes = fleet.models[m].homes;
  auto gone = std::remove_if(homes.begin(), homes.end(), [&](const Home& home) { return home.card == card; });
  if (gone == homes.end()) return;
  homes.erase(gone, homes.end());
  fleet.cards[card].memory_used_gb -= fleet.models[m].memory_gb;
  fleet.cards[card].guaranteed_share -= fleet.models[m].guaranteed_share;
}

void Empty(Fleet& fleet, uint32_t card) {
  for (uint32_t m = 0; m < fleet.models.size(); ++m) Forget(fleet, m, card);
  fleet.cards[card].memory_used_gb = 0;
  fleet.cards[card].guaranteed_share = 0;
  fleet.cards[card].load = 0;
}

}  // namespace

bool HasHome(const FleetModel& model, uint32_t card) {
  return std::any_of(model.homes.begin(), model.homes.end(),
                     [&](const Home& home) { return home.card == card; });
}

bool Takes(const Fleet& fleet, const FleetModel& model, uint32_t card) {
  const FleetCard& there = fleet.cards[card];
  if (there.state != CardState::kOn || there.guaranteed != (model.guaranteed_share > 0)) return false;
  if (there.guaranteed_share + model.guaranteed_share > 1 + kShareTolerance) return false;
  return !HasHome(model, card);
}

bool HasOtherHome(const Fleet& fleet, const FleetModel& model, uint32_t card) {
  return std::any_of(model.homes.begin(), model.homes.end(), [&](const Home& home) {
    return home.card != card && fleet.cards[home.card].state == CardState::kOn;
  });
}

void Observe(FleetModel& model, double load) {
  model.surprise = std::max(load - model.recent_load, model.surprise * kSurpriseKept);
  model.recent_load += kRecentPart * (load - model.recent_load);
  model.activity += kActivityPart * ((load > 0 ? 1.0 : 0.0) - model.activity);
}

void FailCard(Fleet& fleet, uint32_t card) {
  Empty(fleet, card);
  fleet.cards[card].state = CardState::kFailed;
}

void CarryOut(Fleet& fleet, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    FleetCard& card = fleet.cards[change.card];
    switch (change.kind) {
      case Change::Kind::kLoad:
        fleet.models[change.model].homes.push_back({change.card, 0});
        card.memory_used_gb += fleet.models[change.model].memory_gb;
        card.guaranteed_share += fleet.models[change.model].guaranteed_share;
        break;
      case Change::Kind::kEvict:
        Forget(fleet, change.model, change.card);
        break;
      case Change::Kind::kTurnOn:
        card.state = CardState::kOn;
        break;
      case Change::Kind::kClose:
        card.state = CardState::kClosing;
        break;
      case Change::Kind::kTurnOff:
        card.state = CardState::kOff;
        Empty(fleet, change.card);
        break;
    }
  }
}

double Balance(Fleet& fleet, const float* use) {
  for (FleetCard& card : fleet.cards) card.load = 0;
  double unserved = 0;
  std::vector<uint32_t> several;
  for (uint32_t m = 0; m < fleet.models.size(); ++m) {
    FleetModel& model = fleet.models[m];
    double load = static_cast<double>(use[m]);
    if (model.homes.empty()) unserved += load;
    if (model.homes.size() > 1 && load > 0) several.push_back(m);
    double part = model.homes.empty() ? 0.0 : load / static_cast<double>(model.homes.size());
    for (Home& home : model.homes) {
      home.load = part;
      fleet.cards[home.card].load += part;
    }
  }
  std::vector<Home*> by_load;
  for (int pass = 0; pass < kBalancePasses; ++pass) {
    for (uint32_t m : several) {
      FleetModel& model = fleet.models[m];
      double left = static_cast<double>(use[m]);
      by_load.clear();
      for (Home& home : model.homes) {
        fleet.cards[home.card].load -= home.load;
        by_load.push_back(&home);
      }
      auto base = [&](const Home* home) { return fleet.cards[home->card].load; };
      std::sort(by_load.begin(), by_load.end(), [&](const Home* a, const Home* b) {
        return base(a) != base(b) ? base(a) < base(b) : a->card < b->card;
      });
      // Fill the emptiest up to a common level.
      size_t count = 1;
      double level_sum = base(by_load[0]);
      while (count < by_load.size() &&
             (level_sum + left) / static_cast<double>(count) > base(by_load[count])) {
        level_sum += base(by_load[count]);
        ++count;
      }
      double level = (level_sum + left) / static_cast<double>(count);
      for (size_t h = 0; h < by_load.size(); ++h) {
        by_load[h]->load = h < count ? std::max(0.0, level - base(by_load[h])) : 0.0;
      }
      for (Home* home : by_load) fleet.cards[home->card].load += home->load;
    }
  }
  return unserved;
}

}  // namespace snug::placement
