#include "placement/fleet_repack.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "placement/fleet_risk.h"

namespace snug::placement {
namespace {

constexpr double kMemoryTolerance = 1e-9;
constexpr int kRefusedMax = 50;  // candidates looked at closely in vain before the plan is done

using Profiles = std::vector<std::vector<float>>;

// What is captive on a card: the models that have their only home there.
struct Captive {
  std::vector<double> sums;  // load per bucket
  double risk = 0;

  void Add(const std::vector<float>& profile, double jump, int sign) {
    for (size_t b = 0; b < sums.size(); ++b) sums[b] += sign * static_cast<double>(profile[b]);
    risk += sign * jump;
  }
  double FearWith(const std::vector<float>& profile, double jump, int sign) const {
    double peak = 0;
    for (size_t b = 0; b < sums.size(); ++b) {
      peak = std::max(peak, sums[b] + sign * static_cast<double>(profile[b]));
    }
    return (risk + sign * jump) * Crowding(peak);
  }
  double Fear() const {
    return risk * Crowding(sums.empty() ? 0.0 : *std::max_element(sums.begin(), sums.end()));
  }
};

// A fleet while it is repacked: the homes that are to stay, and the memory with both homes of what moves.
struct State {
  Fleet fleet;
  std::vector<Captive> captive;
  FleetRepack plan;

  double Fear() const {
    return std::accumulate(captive.begin(), captive.end(), 0.0,
                           [](double sum, const Captive& card) { return sum + card.Fear(); });
  }
};

class Repacker {
 public:
  Repacker(const Fleet& fleet, const Profiles& profiles, const FleetLimits& limits)
      : profiles_(profiles), limits_(limits), captives_(fleet), moved_(fleet.models.size()) {
    state_.fleet = fleet;
    state_.captive.resize(fleet.cards.size());
    size_t buckets = profiles.empty() ? 0 : profiles[0].size();
    for (Captive& card : state_.captive) card.sums.assign(buckets, 0.0);
    for (uint32_t m = 0; m < fleet.models.size(); ++m) {
      if (fleet.models[m].homes.size() == 1) Hold(state_, m, 1);
    }
  }

  FleetRepack Run(size_t moves_max) {
    int refused = 0;
    while (state_.plan.then.size() < moves_max && refused < kRefusedMax) {
      Candidate best = Best();
      if (best.gain <= 0) break;
      State after = state_;
      double least = limits_.repack_gain_min * state_.Fear();
      if (Apply(after, best) && after.Fear() <= state_.Fear() - least) {
        state_ = std::move(after);
        moved_[best.model] = true;
      } else {
        refused_.insert({best.model, best.to});
        ++refused;
      }
    }
    return std::move(state_.plan);
  }

 private:
  struct Candidate {
    double gain = 0;  // not counting what is evicted for it
    uint32_t model = 0, to = 0;
  };

  // The model has its only home where its first home is.
  void Hold(State& state, uint32_t m, int sign) const {
    const FleetModel& model = state.fleet.models[m];
    state.captive[model.homes[0].card].Add(profiles_[m], JumpRisk(model), sign);
  }

  Candidate Best() const {
    std::vector<double> fear;
    for (const Captive& card : state_.captive) fear.push_back(card.Fear());
    Candidate best{limits_.repack_gain_min * std::accumulate(fear.begin(), fear.end(), 0.0), 0, 0};
    bool found = false;
    for (uint32_t m = 0; m < moved_.size(); ++m) {
      const FleetModel& model = state_.fleet.models[m];
      if (moved_[m] || model.homes.size() != 1 || model.guaranteed_share > 0) continue;
      uint32_t from = model.homes[0].card;
      double jump = JumpRisk(model);
      double left = fear[from] - state_.captive[from].FearWith(profiles_[m], jump, -1);
      if (left <= best.gain) continue;  // elsewhere fear only grows
      for (uint32_t c = 0; c < fear.size(); ++c) {
        if (!Takes(state_.fleet, model, c) || refused_.contains({m, c})) continue;
        double gain = left - (state_.captive[c].FearWith(profiles_[m], jump, 1) - fear[c]);
        if (gain <= best.gain) continue;
        best = {gain, m, c};
        found = true;
      }
    }
    return found ? best : Candidate{};
  }

  bool Apply(State& state, const Candidate& move) const {
    const FleetModel& model = state.fleet.models[move.model];
    uint32_t from = model.homes[0].card;
    if (!MakeRoom(state, model.memory_gb, move.to)) return false;
    Hold(state, move.model, -1);
    state.plan.now.push_back({Change::Kind::kLoad, move.model, move.to, "it fits better there", true});
    state.plan.then.push_back({Change::Kind::kEvict, move.model, from, "it moved"});
    // The old home's memory is free only a minute later.
    state.fleet.models[move.model].homes = {{move.to, 0}};
    state.fleet.cards[move.to].memory_used_gb += model.memory_gb;
    Hold(state, move.model, 1);
    return true;
  }

  // Evicts the copies on the card that are worth least until `gb` fit; false: they do not.
  bool MakeRoom(State& state, double gb, uint32_t card) const {
    const FleetCard& target = state.fleet.cards[card];
    while (target.memory_used_gb + gb > target.memory_gb + kMemoryTolerance) {
      uint32_t coldest = UINT32_MAX;
      double least = 0;
      for (uint32_t m = 0; m < state.fleet.models.size(); ++m) {
        const FleetModel& model = state.fleet.models[m];
        if (!HasHome(model, card) || !HasOtherHome(state.fleet, model, card)) continue;
        double worth = WorthOfHome(model, card, captives_);
        if (coldest != UINT32_MAX && worth >= least) continue;
        coldest = m;
        least = worth;
      }
      if (coldest == UINT32_MAX) return false;
      Change evict{Change::Kind::kEvict, coldest, card, "the least needed copy, to make room"};
      state.plan.now.push_back(evict);
      CarryOut(state.fleet, {evict});
      if (state.fleet.models[coldest].homes.size() == 1) Hold(state, coldest, 1);
    }
    return true;
  }

  const Profiles& profiles_;
  const FleetLimits& limits_;
  const Captives captives_;
  State state_;
  std::vector<bool> moved_;
  std::set<std::pair<uint32_t, uint32_t>> refused_;
};

}  // namespace

FleetRepack PlanRepack(const Fleet& fleet, const Profiles& profiles, size_t moves_max,
                       const FleetLimits& limits) {
  return Repacker(fleet, profiles, limits).Run(moves_max);
}

}  // namespace snug::placement
