// Random fleets: the walls hold whatever happens, and small ones come near the best there is.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "placement/fleet_homes.h"
#include "placement/fleet_minute.h"
#include "placement/fleet_repack.h"
#include "placement/fleet_risk.h"

namespace snug::placement {
namespace {

using Profiles = std::vector<std::vector<float>>;

void ExpectWalls(const Fleet& fleet) {
  std::vector<double> used(fleet.cards.size(), 0.0), promised = used;
  for (const FleetModel& model : fleet.models) {
    std::vector<uint32_t> homes;
    for (const Home& home : model.homes) {
      const FleetCard& card = fleet.cards[home.card];
      used[home.card] += model.memory_gb;
      promised[home.card] += model.guaranteed_share;
      homes.push_back(home.card);
      ASSERT_TRUE(card.state == CardState::kOn || card.state == CardState::kClosing);
      ASSERT_EQ(card.guaranteed, model.guaranteed_share > 0);
    }
    std::sort(homes.begin(), homes.end());
    ASSERT_EQ(std::unique(homes.begin(), homes.end()), homes.end()) << "two copies on one card";
    if (model.guaranteed_share > 0) {
      ASSERT_LE(homes.size(), 1u);
    }
  }
  for (size_t c = 0; c < used.size(); ++c) {
    ASSERT_LE(used[c], fleet.cards[c].memory_gb + 1e-6);
    ASSERT_NEAR(used[c], fleet.cards[c].memory_used_gb, 1e-6);
    ASSERT_LE(promised[c], 1 + 1e-6);
    ASSERT_NEAR(promised[c], fleet.cards[c].guaranteed_share, 1e-6);
  }
}

struct Case {
  Fleet fleet;
  Profiles profiles;
};

Case RandomFleet(Rng& rng, size_t cards, size_t models, double guaranteed) {
  Case result;
  FleetCard card;
  card.memory_gb = 6 + 10 * rng.Uniform();
  result.fleet.cards.assign(cards, card);
  for (size_t m = 0; m < models; ++m) {
    FleetModel model;
    model.memory_gb = 0.2 + rng.Uniform();
    model.surprise = rng.Uniform();
    if (rng.Uniform() < guaranteed) model.guaranteed_share = 0.1 + 0.4 * rng.Uniform();
    result.fleet.models.push_back(model);
    std::vector<float> profile;
    profile.reserve(6);
    for (int b = 0; b < 6; ++b) profile.push_back(static_cast<float>(rng.Uniform() / 4));
    result.profiles.push_back(profile);
  }
  card.guaranteed = true;
  result.fleet.cards.insert(result.fleet.cards.end(), GuaranteedCards(result.fleet.models, card.memory_gb),
                            card);
  PlanHomes(result.fleet, result.profiles, {});
  return result;
}

TEST(FleetPropertyTest, WallsHold) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Rng rng(seed);
    size_t cards = 2 + rng.Below(8), models = 1 + rng.Below(40);
    auto [fleet, profiles] = RandomFleet(rng, cards, models, seed % 3 == 0 ? 0.3 : 0.0);
    std::vector<float> use(models);
    std::vector<Change> leaving;
    for (int minute = 0; minute < 120; ++minute) {
      for (float& u : use) u = static_cast<float>(rng.Below(6) == 0 ? rng.Uniform() : 0.05 * rng.Uniform());
      if (rng.Below(40) == 0) FailCard(fleet, static_cast<uint32_t>(rng.Below(fleet.cards.size())));
      Balance(fleet, use.data());
      for (size_t m = 0; m < models; ++m) Observe(fleet.models[m], static_cast<double>(use[m]));
      for (const Change& change : leaving) {
        if (HasOtherHome(fleet, fleet.models[change.model], change.card)) CarryOut(fleet, {change});
      }
      leaving.clear();
      if (minute % 20 == 10) {
        FleetRepack plan = PlanRepack(fleet, profiles, 5, {});
        CarryOut(fleet, plan.now);
        leaving = plan.then;
      } else {
        CarryOut(fleet, PlanMinute(fleet, 1 + rng.Below(cards), {}));
      }
      ExpectWalls(fleet);
    }
  }
}

TEST(FleetPropertyTest, NoModelIsLostWhileCardsWork) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    auto [fleet, profiles] = RandomFleet(rng, 6, 30, 0.2);
    for (int minute = 0; minute < 100; ++minute) {
      CarryOut(fleet, PlanMinute(fleet, 4 + rng.Below(3), {}));
      FleetRepack plan = PlanRepack(fleet, profiles, 3, {});
      CarryOut(fleet, plan.now);
      CarryOut(fleet, plan.then);
      for (const FleetModel& model : fleet.models) ASSERT_FALSE(model.homes.empty());
    }
  }
}

// What may be asked of one card at once if nothing has a home elsewhere.
double Fear(const Fleet& fleet, const Profiles& profiles) {
  double fear = 0;
  for (uint32_t c = 0; c < fleet.cards.size(); ++c) {
    double risk = 0;
    std::vector<double> sums(profiles[0].size(), 0.0);
    for (size_t m = 0; m < fleet.models.size(); ++m) {
      if (fleet.models[m].homes.size() != 1 || fleet.models[m].homes[0].card != c) continue;
      risk += JumpRisk(fleet.models[m]);
      for (size_t b = 0; b < sums.size(); ++b) sums[b] += static_cast<double>(profiles[m][b]);
    }
    fear += risk * Crowding(*std::max_element(sums.begin(), sums.end()));
  }
  return fear;
}

void Settle(Fleet& fleet, const Profiles& profiles) {
  for (int round = 0; round < 100; ++round) {
    FleetRepack plan = PlanRepack(fleet, profiles, 100, {});
    if (plan.now.empty()) return;
    double before = Fear(fleet, profiles);
    CarryOut(fleet, plan.now);
    CarryOut(fleet, plan.then);
    ASSERT_LT(Fear(fleet, profiles), before);
  }
  FAIL() << "still moving";
}

// One home a model, as many cards as there are; every way to place them is tried.
double LeastFear(Fleet& fleet, const Profiles& profiles, size_t m) {
  if (m == fleet.models.size()) return Fear(fleet, profiles);
  double least = 1e300;
  for (uint32_t c = 0; c < fleet.cards.size(); ++c) {
    fleet.models[m].homes = {{c, 0}};
    least = std::min(least, LeastFear(fleet, profiles, m + 1));
  }
  return least;
}

TEST(FleetPropertyTest, RepacksEndAndComeNearTheBest) {
  double found = 0, best = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    auto [fleet, profiles] = RandomFleet(rng, 3, 6, 0);
    for (FleetModel& model : fleet.models) model.homes = {{0, 0}};  // all on one card
    for (FleetCard& card : fleet.cards) card.memory_gb = 100;
    fleet.cards[1].memory_used_gb = fleet.cards[2].memory_used_gb = 0;
    Settle(fleet, profiles);
    double fear = Fear(fleet, profiles);
    double least = LeastFear(fleet, profiles, 0);
    EXPECT_LE(fear, 1.3 * least);
    found += fear;
    best += least;
  }
  EXPECT_LE(found, 1.1 * best);
}

// The lowest possible peak is that of the set of cards which most load cannot leave (Hall's theorem).
double LowestPeak(const Fleet& fleet, const std::vector<float>& use) {
  double peak = 0;
  for (unsigned set = 1; set < 1u << fleet.cards.size(); ++set) {
    double load = 0, cards = 0;
    for (size_t c = 0; c < fleet.cards.size(); ++c) cards += set >> c & 1u;
    for (size_t m = 0; m < fleet.models.size(); ++m) {
      const auto& homes = fleet.models[m].homes;
      bool inside =
          std::all_of(homes.begin(), homes.end(), [&](const Home& h) { return set >> h.card & 1u; });
      if (inside && !homes.empty()) load += static_cast<double>(use[m]);
    }
    peak = std::max(peak, load / cards);
  }
  return peak;
}

TEST(FleetPropertyTest, BalanceComesNearTheLowestPeak) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Rng rng(seed);
    auto [fleet, profiles] = RandomFleet(rng, 2 + rng.Below(5), 4 + rng.Below(12), 0);
    std::vector<float> use;
    for (size_t m = 0; m < fleet.models.size(); ++m) use.push_back(static_cast<float>(rng.Uniform()));
    Balance(fleet, use.data());
    double peak = 0;
    for (const FleetCard& card : fleet.cards) peak = std::max(peak, card.load);
    EXPECT_LE(peak, 1.1 * LowestPeak(fleet, use));
  }
}

}  // namespace
}  // namespace snug::placement
