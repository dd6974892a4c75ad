#include "placement/place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace snug::placement {
namespace {

using testing::HasSubstr;

constexpr uint64_t kGib = 1ull << 30;

Wanted Want(const std::string& model, double share, uint32_t copies = 1, int64_t version = 1) {
  Wanted wanted;
  wanted.id = {model, version};
  wanted.share = share;
  wanted.copies = copies;
  return wanted;
}

Group Card(const std::string& id, double use, std::vector<HeldCopy> copies = {}) {
  Group group;
  group.id = id;
  group.use = use;
  group.copies = std::move(copies);
  return group;
}

HeldCopy Held(const std::string& model, double share, int64_t version = 1) {
  HeldCopy copy;
  copy.id = {model, version};
  copy.share = share;
  return copy;
}

Plan MustPlace(const World& world, const std::string& policy) {
  auto plan = Place(world, *PolicyNamed(policy));
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  return plan.ok() ? *plan : Plan{};
}

TEST(PlaceTest, FiftyPercentTakesTheFirstGroupWithinTheLimit) {
  World world;
  world.groups = {Card("a", 0.45), Card("b", 0.30), Card("c", 0.0)};
  world.wanted = {Want("ocr", 0.2)};
  Plan plan = MustPlace(world, "fifty-percent");
  ASSERT_EQ(plan.assignments.size(), 1u);
  EXPECT_EQ(plan.assignments[0].group, "b");
  EXPECT_TRUE(plan.assignments[0].is_new_copy);
  EXPECT_EQ(plan.assignments[0].why,
            "use 30 % + 20 % is within 50 %; passed over a: use 45 % + 20 % is above 50 %");
}

TEST(PlaceTest, FiftyPercentOpensANewGroupWhenNoneFits) {
  World world;
  world.groups = {Card("a", 0.45)};
  world.wanted = {Want("ocr", 0.2), Want("face", 0.2), Want("text", 0.2)};
  Plan plan = MustPlace(world, "fifty-percent");
  ASSERT_EQ(plan.assignments.size(), 3u);
  EXPECT_EQ(plan.assignments[0].group, "new group 1");  // face: equal shares go by name
  EXPECT_EQ(plan.assignments[1].group, "new group 1");
  EXPECT_EQ(plan.assignments[2].group, "new group 2");
  EXPECT_TRUE(plan.assignments[2].is_new_group);
}

TEST(PlaceTest, ALargeShareGetsAGroupOfItsOwnUnderFiftyPercent) {
  World world;
  world.wanted = {Want("big", 0.9)};
  EXPECT_EQ(MustPlace(world, "fifty-percent").assignments[0].group, "new group 1");
}

TEST(PlaceTest, UnmeasuredCopiesCountWithTheirShares) {
  HeldCopy young = Held("young", 0.4);
  young.measured = false;
  World world;
  world.groups = {Card("a", 0.05, {young})};
  world.wanted = {Want("young", 0.4), Want("ocr", 0.1)};
  EXPECT_EQ(MustPlace(world, "fifty-percent").assignments[0].group, "new group 1");
}

TEST(PlaceTest, FirstFitAndBestFitGoByRequests) {
  World world;
  world.groups = {Card("a", 0.9, {Held("x", 0.3)}), Card("b", 0.9, {Held("y", 0.6)})};
  world.wanted = {Want("x", 0.3), Want("y", 0.6), Want("ocr", 0.4)};
  EXPECT_EQ(MustPlace(world, "first-fit").assignments[0].group, "a");
  EXPECT_EQ(MustPlace(world, "best-fit").assignments[0].group, "b");
}

TEST(PlaceTest, SnugPairsPeaksThatDoNotCoincide) {
  Wanted day = Want("day", 0.7), night = Want("night", 0.7), noon = Want("noon", 0.7);
  day.profile = {0.7f, 0.0f, 0.0f};
  night.profile = {0.0f, 0.7f, 0.0f};
  noon.profile = {0.7f, 0.0f, 0.0f};
  World world;
  world.wanted = {day, night, noon};
  Plan plan = MustPlace(world, "snug");
  EXPECT_EQ(plan.assignments[0].group, plan.assignments[1].group);
  EXPECT_NE(plan.assignments[0].group, plan.assignments[2].group);
}

TEST(PlaceTest, CopiesAndVersionsOfOneModelNeverShareAGroup) {
  World world;
  world.groups = {Card("a", 0), Card("b", 0)};
  world.wanted = {Want("ocr", 0.1, 2, 1), Want("ocr", 0.1, 1, 2)};
  for (const std::string& policy : PolicyNames()) {
    Plan plan = MustPlace(world, policy);
    ASSERT_EQ(plan.assignments.size(), 3u);
    std::set<std::string> groups;
    for (const Assignment& a : plan.assignments) groups.insert(a.group);
    EXPECT_EQ(groups.size(), 3u) << policy;
  }
}

TEST(PlaceTest, WhatIsNotWantedGoesAndWhatStandsStays) {
  World world;
  world.groups = {Card("a", 0.9, {Held("ocr", 0.5), Held("old", 0.1)}), Card("b", 0, {Held("ocr", 0.5)})};
  world.wanted = {Want("ocr", 0.5)};
  Plan plan = MustPlace(world, "fifty-percent");
  ASSERT_EQ(plan.assignments.size(), 1u);
  EXPECT_EQ(plan.assignments[0].group, "a");
  EXPECT_FALSE(plan.assignments[0].is_new_copy);
  ASSERT_EQ(plan.removals.size(), 2u);
  EXPECT_EQ(plan.removals[0].why, "no longer wanted");
  EXPECT_EQ(plan.removals[1].why, "1 copy is wanted and stands elsewhere");
}

TEST(PlaceTest, AFailedGroupsModelsAreServedElsewhereAtOnce) {
  World world;
  world.groups = {Card("dead", 0.1, {Held("ocr", 0.2), Held("face", 0.2)}), Card("b", 0.1)};
  world.groups[0].state = GroupState::kFailed;
  world.wanted = {Want("ocr", 0.2), Want("face", 0.2)};
  Plan plan = MustPlace(world, "fifty-percent");
  ASSERT_EQ(plan.assignments.size(), 2u);
  for (const Assignment& a : plan.assignments) EXPECT_EQ(a.group, "b");
  EXPECT_TRUE(plan.removals.empty());
}

TEST(PlaceTest, AClosedGroupKeepsItsCopiesAndTakesNone) {
  World world;
  world.groups = {Card("a", 0, {Held("ocr", 0.1)})};
  world.groups[0].state = GroupState::kClosed;
  world.wanted = {Want("ocr", 0.1), Want("face", 0.1)};
  Plan plan = MustPlace(world, "fifty-percent");
  EXPECT_EQ(plan.assignments[0].group, "new group 1");
  EXPECT_EQ(plan.assignments[1].group, "a");
}

TEST(PlaceTest, AllGroupsTogetherStayWithinTheMachinesMemory) {
  World world;
  world.memory_bytes = 8 * kGib;
  world.new_group_memory_bytes = kGib;
  world.groups = {Card("a", 0.1, {Held("old", 0.1)}), Card("b", 0.45)};
  world.groups[0].copies[0].memory_bytes = 2 * kGib;
  world.wanted = {Want("old", 0.1), Want("in-a", 0.3), Want("large", 0.2), Want("small", 0.1)};
  world.wanted[1].memory_bytes = 3 * kGib;
  world.wanted[2].memory_bytes = 3 * kGib;  // there would be room without a new group
  world.wanted[3].memory_bytes = 2 * kGib;
  Plan plan = MustPlace(world, "fifty-percent");
  ASSERT_EQ(plan.unplaced.size(), 1u);
  EXPECT_EQ(plan.unplaced[0].id.model, "large");
  EXPECT_EQ(
      plan.unplaced[0].why,
      "memory: it needs about 4096 MiB with a server of its own, and models have 5120 of 8192 MiB already");
  world.memory_bytes = 4 * kGib;
  plan = MustPlace(world, "fifty-percent");
  EXPECT_EQ(plan.unplaced[0].why,
            "memory: it needs about 3072 MiB, and models have 2048 of 4096 MiB already");
}

TEST(PlaceTest, MemoryIsAHardWall) {
  World world;
  world.groups = {Card("a", 0)};
  world.groups[0].memory_bytes = 2 * kGib;
  world.new_group.memory_bytes = 4 * kGib;
  world.wanted = {Want("mid", 0.1), Want("huge", 0.1)};
  world.wanted[0].memory_bytes = 3 * kGib;
  world.wanted[1].memory_bytes = 5 * kGib;
  Plan plan = MustPlace(world, "fifty-percent");
  ASSERT_EQ(plan.assignments.size(), 1u);
  EXPECT_EQ(plan.assignments[0].why, "no group fits; passed over a: memory: 0.0 + 3.0 of 2.0 GiB");
  ASSERT_EQ(plan.unplaced.size(), 1u);
  EXPECT_EQ(plan.unplaced[0].why, "even an empty group does not fit: memory: 0.0 + 5.0 of 4.0 GiB");
}

TEST(PlaceTest, DepartmentsHaveTheirOwnGroupsAndQuotas) {
  World world;
  world.groups = {Card("a", 0)};
  world.groups[0].department = "cars";
  world.quota_shares = {{"homes", 0.3}};
  world.wanted = {Want("ocr", 0.2, 2)};
  world.wanted[0].department = "homes";
  Plan plan = MustPlace(world, "fifty-percent");
  ASSERT_EQ(plan.assignments.size(), 1u);
  EXPECT_EQ(plan.assignments[0].group, "new group 1");
  ASSERT_EQ(plan.unplaced.size(), 1u);
  EXPECT_EQ(plan.unplaced[0].why,
            "department homes has 0.30 cards' share and uses 0.20; 0.20 more is above it");
}

TEST(PlaceTest, KeepApartHoldsInBothDirections) {
  World world;
  world.groups = {Card("a", 0, {Held("rival", 0.1)})};
  world.wanted = {Want("rival", 0.1), Want("ocr", 0.2)};
  world.wanted[0].keep_apart = {"ocr"};
  EXPECT_EQ(MustPlace(world, "first-fit").assignments[0].group, "new group 1");
  world.wanted[0].keep_apart = {};
  world.wanted[1].keep_apart = {"rival"};
  EXPECT_EQ(MustPlace(world, "first-fit").assignments[0].group, "new group 1");
}

TEST(PlaceTest, TheGuaranteedClassNeverSharesAnOversoldCard) {
  World world;
  world.groups = {Card("a", 0.1, {Held("x", 0.9)})};
  world.wanted = {Want("x", 0.9), Want("paid", 0.2)};
  EXPECT_EQ(MustPlace(world, "fifty-percent").assignments[0].group, "a");
  world.wanted[1].isolation = Isolation::kGuaranteed;
  EXPECT_EQ(MustPlace(world, "fifty-percent").assignments[0].group, "new group 1");
}

TEST(PlaceTest, AloneMeansAlone) {
  World world;
  world.wanted = {Want("solo", 0.1), Want("ocr", 0.1), Want("face", 0.1)};
  world.wanted[0].isolation = Isolation::kAlone;
  Plan plan = MustPlace(world, "first-fit");
  EXPECT_EQ(plan.assignments[0].group, plan.assignments[1].group);
  EXPECT_NE(plan.assignments[2].group, plan.assignments[0].group);
}

TEST(PlaceTest, PinsAreHonouredOrRefusedAloud) {
  World world;
  world.groups = {Card("a", 0), Card("b", 0.9)};
  world.wanted = {Want("ocr", 0.2), Want("lost", 0.2)};
  world.wanted[0].pinned_groups = {"b"};
  world.wanted[1].pinned_groups = {"z"};
  Plan plan = MustPlace(world, "fifty-percent");
  ASSERT_EQ(plan.assignments.size(), 1u);
  EXPECT_EQ(plan.assignments[0].group, "b");
  ASSERT_EQ(plan.unplaced.size(), 1u);
  EXPECT_EQ(plan.unplaced[0].why, "it is pinned to group z, which is not there");
}

TEST(PlaceTest, TheFirstPinThatCanBeHonouredIs) {
  World world;
  world.groups = {Card("a", 0, {Held("ocr", 0.2, 1)}), Card("b", 0)};
  world.wanted = {Want("ocr", 0.2, 1, 1), Want("ocr", 0.2, 1, 2)};
  world.wanted[1].pinned_groups = {"a", "b"};
  Plan plan = MustPlace(world, "fifty-percent");
  ASSERT_EQ(plan.assignments.size(), 2u);
  EXPECT_EQ(plan.assignments[1].group, "b");
  world.wanted[1].pinned_groups = {"a", "z"};
  plan = MustPlace(world, "fifty-percent");
  ASSERT_EQ(plan.unplaced.size(), 1u);
  EXPECT_EQ(plan.unplaced[0].why,
            "it is pinned to group a, which holds a copy of ocr already; and to group z, which is not there");
}

TEST(PlaceTest, AFullFleetSaysSo) {
  World world;
  world.groups = {Card("a", 0.5)};
  world.groups_max = 1;
  world.wanted = {Want("ocr", 0.2)};
  Plan plan = MustPlace(world, "fifty-percent");
  ASSERT_EQ(plan.unplaced.size(), 1u);
  EXPECT_THAT(plan.unplaced[0].why, HasSubstr("no group fits and there are 1 groups, which is the limit"));
}

TEST(PlaceTest, BadWorldsAreRefused) {
  Policy policy;
  World twice;
  twice.wanted = {Want("ocr", 0.2), Want("ocr", 0.2)};
  EXPECT_EQ(Place(twice, policy).status().code(), Code::kInvalidArgument);
  World share;
  share.wanted = {Want("ocr", 1.5)};
  EXPECT_THAT(Place(share, policy).status().text(), HasSubstr("asks for 1.5 of a card"));
  World groups;
  groups.groups = {Card("a", 0), Card("a", 0)};
  EXPECT_EQ(Place(groups, policy).status().code(), Code::kInvalidArgument);
  policy.name = "magic";
  EXPECT_THAT(Place({}, policy).status().text(), HasSubstr("there are: random, first-fit"));
  policy = {"first-fit", -1, 0};
  EXPECT_EQ(Place({}, policy).status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace snug::placement
