#include "placement/fleet_homes.h"
#include "placement/fleet_minute.h"
#include "placement/fleet_repack.h"
#include "placement/fleet_risk.h"
#include "placement/fleet_scale.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace snug::placement {
namespace {

FleetModel Model(double memory_gb, double surprise, const std::vector<uint32_t>& cards) {
  FleetModel model;
  model.memory_gb = memory_gb;
  model.surprise = surprise;
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

TEST(FleetTest, ModelsOfACardGivenBackGoWhereAJumpHurtsLeastNotWhereItIsEmptiest) {
  // Card 1 is the emptiest because what lives there alone, and was busy a moment ago, is quiet this minute.
  Fleet fleet = Make(3, 10, {Model(1, 0.8, {0}), Model(8, 0.5, {1}), Model(9, 0, {2})});
  fleet.models[1].recent_load = 0.5;
  fleet.models[2].recent_load = 0.2;
  float use[] = {0.0f, 0.0f, 0.2f};
  Balance(fleet, use);
  auto changes = PlanMinute(fleet, 2, {});
  ASSERT_GE(changes.size(), 2u);  // then second homes
  EXPECT_EQ(changes[0].kind, Change::Kind::kClose);
  EXPECT_EQ(changes[0].card, 0u);
  EXPECT_EQ(changes[1].kind, Change::Kind::kLoad);
  EXPECT_EQ(changes[1].model, 0u);
  EXPECT_EQ(changes[1].card, 2u);
}

TEST(FleetTest, ACardIsKeptWhenItsModelsFitNowhereElse) {
  Fleet fleet = Make(2, 2, {Model(2, 0.1, {0}), Model(2, 0.1, {1})});
  EXPECT_TRUE(PlanMinute(fleet, 1, {}).empty());
}

TEST(FleetTest, CardsAreOnForTheLoadOfNowAndOfYesterdaysComingHalfHour) {
  std::vector<double> sums(3000, 5.0);
  ScaleLimits limits{1.2, 1.1, 0.8, 120};
  EXPECT_EQ(CardsWanted(sums, 10, 22, 30, limits), 6u);
  EXPECT_EQ(CardsWanted(sums, 300, 22, 30, limits), 18u) << "300 / (0.8 * 22)";
  sums[3000 - 1440 + 20] = 10;  // yesterday's coming half hour
  EXPECT_EQ(CardsWanted(sums, 10, 22, 30, limits), 11u);
  EXPECT_EQ(CardsWanted(sums, 10, 22, 8, limits), 8u);
  EXPECT_EQ(CardsWanted({1, 2}, 10, 22, 30, limits), 30u);
  sums.back() = 12;
  EXPECT_EQ(CardsWanted(sums, 10, 22, 30, limits), 16u) << "trend of 1.4 at most: 1.1 * 14";
}

TEST(FleetTest, CardsStayOnForALoadThatFell) {
  std::vector<double> sums(3000, 1.0);
  sums[2900] = 9;
  ScaleLimits limits{1.2, 1.1, 0.8, 120};
  EXPECT_EQ(CardsWanted(sums, 10, 22, 30, limits), 9u);
  limits.kept_minutes = 60;
  EXPECT_EQ(CardsWanted(sums, 10, 22, 30, limits), 2u);
}

TEST(FleetTest, JumpsAreRememberedAndSlowlyForgotten) {
  FleetModel model;
  for (int minute = 0; minute < 200; ++minute) Observe(model, 0.3);
  EXPECT_NEAR(model.recent_load, 0.3, 0.01);
  Observe(model, 0.9);
  EXPECT_NEAR(model.surprise, 0.6, 0.01);
  for (int minute = 0; minute < 3 * 1440; ++minute) Observe(model, 0.3);
  EXPECT_NEAR(model.surprise, 0.3, 0.01);
}

TEST(FleetTest, TheSecondHomeGoesWhereAJumpWouldHurtMost) {
  // Models 0 and 1 may jump alike, but 1 shares its card with load that has nowhere else to go.
  Fleet fleet = Make(3, 10, {Model(1, 0.5, {0}), Model(1, 0.5, {1}), Model(1, 0, {1})});
  fleet.models[2].recent_load = 0.5;
  FleetLimits limits;
  limits.prepares_per_minute_max = 1;
  auto changes = PlanMinute(fleet, 3, limits);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].kind, Change::Kind::kLoad);
  EXPECT_NE(changes[0].model, 0u);
}

TEST(FleetTest, AJumpBesideAModelThatIsAlwaysActiveIsFearedMore) {
  // Models 0 and 2 may jump alike; beside 2 lives one whose load is next to nothing, but there every minute.
  Fleet fleet = Make(2, 10, {Model(1, 0.5, {0}), Model(1, 0, {0}), Model(1, 0.5, {1}), Model(1, 0, {1})});
  fleet.models[3].activity = 0.9;
  Captives captives(fleet);
  EXPECT_GT(captives.Risk(1), 1.5 * captives.Risk(0));
  EXPECT_GT(WorthOfOneMore(fleet.models[2], captives), WorthOfOneMore(fleet.models[0], captives));
  EXPECT_GT(WorthOfOneMore(fleet.models[3], captives), WorthOfOneMore(fleet.models[1], captives))
      << "elsewhere it is in nobody's way";
  FleetModel newcomer = Model(1, 0.5, {});
  EXPECT_GT(RiskOfOnlyHome(newcomer, 1, captives), RiskOfOnlyHome(newcomer, 0, captives));
}

TEST(FleetTest, ActivityIsTheShareOfMinutesWithAnyLoad) {
  FleetModel model;
  for (int minute = 0; minute < 600; ++minute) Observe(model, minute % 2 == 0 ? 0.001 : 0.0);
  EXPECT_NEAR(model.activity, 0.5, 0.02);
}

TEST(FleetTest, GuaranteedModelsHaveCardsOfTheirOwnAndASpare) {
  std::vector<FleetModel> models;
  for (double share : {0.5, 0.5, 0.4, 0.3, 0.3}) {
    models.push_back(Model(1, 0.1, {}));
    models.back().guaranteed_share = share;
  }
  EXPECT_EQ(GuaranteedCards(models, 10), 3u);  // two, and the spare
  EXPECT_EQ(GuaranteedCards(models, 2), 4u);   // two models a card by memory
  EXPECT_EQ(GuaranteedCards({Model(1, 0.1, {})}, 10), 0u);

  models.push_back(Model(1, 0.1, {}));  // shares its card
  Fleet fleet = Make(4, 10, models);
  for (size_t c = 1; c < 4; ++c) fleet.cards[c].guaranteed = true;
  PlanHomes(fleet, std::vector<std::vector<float>>(6, {0.1f}), {});
  EXPECT_EQ(fleet.models[5].homes[0].card, 0u);
  FailCard(fleet, 1);
  CarryOut(fleet, PlanMinute(fleet, 1, {}));
  for (size_t m = 0; m < 5; ++m) {
    ASSERT_EQ(fleet.models[m].homes.size(), 1u);
    EXPECT_GE(fleet.models[m].homes[0].card, 2u);
  }
}

TEST(FleetTest, ARepackMovesWhatFearsEachOtherApartAndNothingElse) {
  // Two that may jump beside steady load on card 0; card 1 holds one quiet model.
  Fleet fleet = Make(2, 10, {Model(1, 0.6, {0}), Model(1, 0, {0}), Model(1, 0, {1})});
  std::vector<std::vector<float>> profiles = {{0.0f, 0.0f}, {0.6f, 0.5f}, {0.05f, 0.0f}};
  FleetRepack plan = PlanRepack(fleet, profiles, 10, {});
  ASSERT_EQ(plan.now.size(), 1u);
  ASSERT_EQ(plan.then.size(), 1u);
  EXPECT_EQ(plan.now[0].model, plan.then[0].model);
  EXPECT_TRUE(plan.now[0].is_move);
  CarryOut(fleet, plan.now);
  EXPECT_EQ(fleet.models[plan.now[0].model].homes.size(), 2u);  // both, until the new one serves
  CarryOut(fleet, plan.then);
  EXPECT_TRUE(PlanRepack(fleet, profiles, 10, {}).now.empty());
  EXPECT_TRUE(PlanRepack(fleet, profiles, 0, {}).now.empty());
}

}  // namespace
}  // namespace snug::placement
