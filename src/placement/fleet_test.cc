#include "placement/fleet.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace snug::placement {
namespace {

FleetModel Model(double memory_gb, double recent_peak, std::vector<uint32_t> cards) {
  FleetModel model;
  model.memory_gb = memory_gb;
  model.recent_peak = recent_peak;
  for (uint32_t card : cards) model.homes.push_back({card, 0});
  return model;
}

Fleet Make(size_t cards, double card_gb, std::vector<FleetModel> models) {
  Fleet fleet;
  fleet.cards.assign(cards, {CardState::kOn, card_gb, 0, 0});
  fleet.models = std::move(models);
  for (const FleetModel& model : fleet.models) {
    for (const Home& home : model.homes) fleet.cards[home.card].memory_used_gb += model.memory_gb;
  }
  return fleet;
}

TEST(FleetTest, SizeIsTheLargerOfLoadAndMemory) {
  FleetLimits limits;
  EXPECT_EQ(FleetSize(20.1, 10, 22, limits), 31u);  // 1.5 * 20.1
  EXPECT_EQ(FleetSize(1, 171.6, 22, limits), 10u);  // 171.6 / (0.78 * 22)
  EXPECT_EQ(FleetSize(0, 0, 22, limits), 1u);
}

TEST(FleetTest, BalanceFillsTheEmptierHomesFirst) {
  Fleet fleet = Make(3, 10, {Model(1, 0, {0}), Model(1, 0, {0, 1, 2}), Model(1, 0, {2}), Model(1, 0, {})});
  float use[] = {0.5f, 0.6f, 0.1f, 0.3f};
  EXPECT_NEAR(Balance(fleet, use), 0.3, 1e-6);  // no home
  EXPECT_NEAR(fleet.cards[0].load, 0.5, 1e-6);
  EXPECT_NEAR(fleet.cards[1].load, 0.35, 1e-6);
  EXPECT_NEAR(fleet.cards[2].load, 0.35, 1e-6);
}

TEST(FleetTest, AHotCardGetsACopyOfItsLargestModelOnTheEmptiest) {
  Fleet fleet = Make(3, 10, {Model(1, 0, {0}), Model(1, 0, {0}), Model(1, 0, {1})});
  float use[] = {0.6f, 0.5f, 0.4f};
  Balance(fleet, use);
  auto changes = PlanMinute(fleet, 3, {});
  ASSERT_FALSE(changes.empty());
  EXPECT_EQ(changes[0].kind, Change::Kind::kLoad);
  EXPECT_EQ(changes[0].model, 0u);
  EXPECT_EQ(changes[0].card, 2u);
  CarryOut(fleet, changes);
  Balance(fleet, use);
  EXPECT_LT(fleet.cards[0].load, 0.75);
}

TEST(FleetTest, RoomIsMadeByTheLeastNeededCopyNeverByALastHome) {
  // Card 1 is full: a last home, and an extra copy.
  Fleet fleet = Make(2, 2, {Model(1, 0.9, {0}), Model(1, 0.1, {1}), Model(1, 0.2, {0, 1})});
  float use[] = {0.9f, 0.0f, 0.1f};
  Balance(fleet, use);
  FleetLimits limits;
  limits.prepares_per_minute_max = 0;
  auto changes = PlanMinute(fleet, 2, limits);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].kind, Change::Kind::kEvict);
  EXPECT_EQ(changes[0].model, 2u);
  EXPECT_EQ(changes[1].kind, Change::Kind::kLoad);
  EXPECT_EQ(changes[1].model, 0u);
}

TEST(FleetTest, AFailedCardsModelsAreServedElsewhereAtOnce) {
  Fleet fleet = Make(3, 20, {});
  for (int m = 0; m < 15; ++m) fleet.models.push_back(Model(1, 0.1, {0}));
  fleet.cards[0].memory_used_gb = 15;
  FailCard(fleet, 0);
  FleetLimits limits;  // ten loads a minute do not hold a rescue up
  CarryOut(fleet, PlanMinute(fleet, 3, limits));
  for (const FleetModel& model : fleet.models) {
    ASSERT_EQ(model.homes.size(), 1u);
    EXPECT_NE(model.homes[0].card, 0u);
  }
}

TEST(FleetTest, ACardIsGivenBackOnlyOnceItsModelsLiveElsewhere) {
  Fleet fleet = Make(2, 10, {Model(1, 0.1, {0}), Model(1, 0.1, {1}), Model(1, 0.1, {1})});
  auto changes = PlanMinute(fleet, 1, {});
  CarryOut(fleet, changes);
  EXPECT_EQ(fleet.cards[0].state, CardState::kClosing);  // the one that is cheaper to leave
  EXPECT_EQ(fleet.models[0].homes.size(), 2u);
  CarryOut(fleet, PlanMinute(fleet, 1, {}));
  EXPECT_EQ(fleet.cards[0].state, CardState::kOff);
  EXPECT_EQ(fleet.models[0].homes.size(), 1u);
  EXPECT_EQ(fleet.cards[0].memory_used_gb, 0);
  CarryOut(fleet, PlanMinute(fleet, 2, {}));
  EXPECT_EQ(fleet.cards[0].state, CardState::kOn);
}

TEST(FleetTest, ACardIsKeptWhenItsModelsFitNowhereElse) {
  Fleet fleet = Make(2, 2, {Model(2, 0.1, {0}), Model(2, 0.1, {1})});
  EXPECT_TRUE(PlanMinute(fleet, 1, {}).empty());
}

TEST(FleetTest, HoursToComeAreForeseenFromYesterday) {
  ScaleLimits limits;
  std::vector<double> sums(3000, 5.0);
  EXPECT_EQ(CardsForNextHour(sums, 10, 22, 30, limits), 6u);
  sums[3000 - 1440 + 20] = 10;  // yesterday's coming hour
  EXPECT_EQ(CardsForNextHour(sums, 10, 22, 30, limits), 11u);
  EXPECT_EQ(CardsForNextHour(sums, 10, 22, 8, limits), 8u);
  EXPECT_EQ(CardsForNextHour({1, 2}, 10, 22, 30, limits), 30u);
  EXPECT_EQ(CardsInHurry(5, 6, 30, limits), 6u);
  EXPECT_EQ(CardsInHurry(9, 6, 30, limits), 12u);
}

// Random fleets through many minutes: the walls hold whatever happens.
TEST(FleetPropertyTest, WallsHold) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Rng rng(seed);
    size_t cards = 2 + rng.Below(8), models = 1 + rng.Below(40);
    Fleet fleet = Make(cards, 6 + 10 * rng.Uniform(), {});
    std::vector<std::vector<float>> profiles;
    for (size_t m = 0; m < models; ++m) {
      fleet.models.push_back(Model(0.2 + rng.Uniform(), rng.Uniform(), {}));
      profiles.emplace_back(6, static_cast<float>(rng.Uniform() / 4));
    }
    FleetLimits limits;
    PlanHomes(fleet, profiles, limits);
    std::vector<float> use(models);
    for (int minute = 0; minute < 120; ++minute) {
      for (float& u : use) u = static_cast<float>(rng.Below(6) == 0 ? rng.Uniform() : 0.05 * rng.Uniform());
      if (rng.Below(40) == 0) FailCard(fleet, static_cast<uint32_t>(rng.Below(cards)));
      Balance(fleet, use.data());
      CarryOut(fleet, PlanMinute(fleet, 1 + rng.Below(cards), limits));
      std::vector<double> used(cards, 0.0);
      for (const FleetModel& model : fleet.models) {
        std::vector<uint32_t> homes;
        for (const Home& home : model.homes) {
          used[home.card] += model.memory_gb;
          homes.push_back(home.card);
          ASSERT_TRUE(fleet.cards[home.card].state == CardState::kOn ||
                      fleet.cards[home.card].state == CardState::kClosing);
        }
        std::sort(homes.begin(), homes.end());
        ASSERT_EQ(std::unique(homes.begin(), homes.end()), homes.end()) << "two copies on one card";
      }
      for (size_t c = 0; c < cards; ++c) {
        ASSERT_LE(used[c], fleet.cards[c].memory_gb + 1e-6);
        ASSERT_NEAR(used[c], fleet.cards[c].memory_used_gb, 1e-6);
      }
    }
  }
}

}  // namespace
}  // namespace snug::placement
