#include "placement/fleet_homes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "placement/fleet_risk.h"

namespace snug::placement {
namespace {

constexpr double kMemoryTolerance = 1e-9;
constexpr uint32_t kNone = UINT32_MAX;

}  // namespace

size_t FleetSize(double peak_of_sum, double models_memory_gb, double card_memory_gb,
                 const FleetLimits& limits) {
  double by_load = limits.headroom * peak_of_sum;
  double by_memory = card_memory_gb > 0 ? models_memory_gb / (limits.memory_fill * card_memory_gb) : 0;
  return static_cast<size_t>(std::max(1.0, std::ceil(std::max(by_load, by_memory) - 1e-9)));
}

namespace {

// Summed profiles per card while homes are planned.
class HomePlanner {
 public:
  HomePlanner(Fleet& fleet, const std::vector<std::vector<float>>& profiles)
      : fleet_(fleet), profiles_(profiles), sums_(fleet.cards.size()) {
    buckets_ = profiles.empty() ? 0 : profiles[0].size();
    for (auto& sum : sums_) sum.assign(buckets_, 0.0);
  }

  void Add(uint32_t m, uint32_t card) {
    fleet_.models[m].homes.push_back({card, 0});
    fleet_.cards[card].memory_used_gb += fleet_.models[m].memory_gb;
    double part = 1.0 / static_cast<double>(fleet_.models[m].homes.size());
    for (size_t h = 0; h < fleet_.models[m].homes.size(); ++h) {
      uint32_t home = fleet_.models[m].homes[h].card;
      // The homes before shared the load among one fewer.
      double before = home == card ? 0.0 : 1.0 / static_cast<double>(fleet_.models[m].homes.size() - 1);
      for (size_t b = 0; b < buckets_; ++b)
        sums_[home][b] += (part - before) * static_cast<double>(profiles_[m][b]);
    }
  }

  // The card with room, up to `fill` of its memory, where the peak would be lowest.
  uint32_t Best(uint32_t m, double fill) const {
    uint32_t best = kNone;
    double lowest = 0;
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      const FleetCard& card = fleet_.cards[c];
      if (!Takes(fleet_, fleet_.models[m], c)) continue;
      if (card.memory_used_gb + fleet_.models[m].memory_gb > card.memory_gb * fill + kMemoryTolerance)
        continue;
      double peak = PeakWith(m, c) + 0.05 * card.memory_used_gb / card.memory_gb;
      if (best != kNone && peak >= lowest) continue;
      best = c;
      lowest = peak;
    }
    return best;
  }

 private:
  double PeakWith(uint32_t m, uint32_t c) const {
    double part = 1.0 / static_cast<double>(fleet_.models[m].homes.size() + 1), peak = 0;
    for (size_t b = 0; b < buckets_; ++b) {
      peak = std::max(peak, sums_[c][b] + part * static_cast<double>(profiles_[m][b]));
    }
    return peak;
  }

  Fleet& fleet_;
  const std::vector<std::vector<float>>& profiles_;
  std::vector<std::vector<double>> sums_;
  size_t buckets_ = 0;
};

std::vector<uint32_t> OrderBy(size_t count, const std::vector<double>& key) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return key[a] > key[b]; });
  return order;
}

void PlanGuaranteed(Fleet& fleet) {
  std::vector<double> share;
  for (const FleetModel& model : fleet.models) share.push_back(model.guaranteed_share);
  for (uint32_t m : OrderBy(share.size(), share)) {
    const FleetModel& model = fleet.models[m];
    if (model.guaranteed_share <= 0) return;
    for (uint32_t c = 0; c < fleet.cards.size(); ++c) {
      const FleetCard& card = fleet.cards[c];
      if (!Takes(fleet, model, c) ||
          card.memory_used_gb + model.memory_gb > card.memory_gb + kMemoryTolerance)
        continue;
      CarryOut(fleet, {{Change::Kind::kLoad, m, c, "guaranteed", false}});
      break;
    }
  }
}

}  // namespace

void PlanHomes(Fleet& fleet, const std::vector<std::vector<float>>& profiles, const FleetLimits& limits) {
  PlanGuaranteed(fleet);
  HomePlanner planner(fleet, profiles);
  std::vector<double> size, worth;
  for (const FleetModel& model : fleet.models) {
    size.push_back(model.memory_gb);
    worth.push_back((model.recent_load + JumpRisk(model)) / std::max(0.01, model.memory_gb));
  }
  // Memory is the wall, so the largest go first.
  for (uint32_t m : OrderBy(size.size(), size)) {
    if (fleet.models[m].guaranteed_share > 0) continue;
    if (uint32_t card = planner.Best(m, 1.0); card != kNone) planner.Add(m, card);
  }
  for (uint32_t m : OrderBy(worth.size(), worth)) {
    if (fleet.models[m].homes.empty() || fleet.models[m].guaranteed_share > 0) continue;
    if (uint32_t card = planner.Best(m, limits.copies_fill); card != kNone) planner.Add(m, card);
  }
}

size_t GuaranteedCards(const std::vector<FleetModel>& models, double card_memory_gb) {
  Fleet fleet;
  fleet.models = models;
  FleetCard card;
  card.memory_gb = card_memory_gb;
  card.guaranteed = true;
  fleet.cards.assign(models.size(), card);
  PlanGuaranteed(fleet);
  auto used = std::count_if(fleet.cards.begin(), fleet.cards.end(),
                            [](const FleetCard& c) { return c.guaranteed_share > 0; });
  return used == 0 ? 0 : static_cast<size_t>(used) + 1;
}

}  // namespace snug::placement
