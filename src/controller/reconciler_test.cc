#include "controller/reconciler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/test_platform.h"

namespace snug::controller {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr int kEnough = 60;  // rounds of 100 ms that any healthy change ends within

TEST(Reconciler, ADeployedModelGetsAServerAndThenTraffic) {
  Platform p;
  p.Deploy("ocr", 1);
  p.Steps(2);
  EXPECT_EQ(p.traffic.snapshot.models.count("ocr"), 1u);
  EXPECT_EQ(p.Endpoints("ocr"), 0u) << "deployed, but nothing is warm yet";
  p.Steps(kEnough);
  EXPECT_EQ(p.StateOf("ocr"), State::kReady);
  EXPECT_EQ(p.Endpoints("ocr"), 1u);
  EXPECT_EQ(p.Endpoints("ocr@1"), 1u);
  EXPECT_THAT(p.registry->Load()->groups, SizeIs(1));
}

TEST(Reconciler, SmallModelsShareAGroupAndCopiesDoNot) {
  Platform p;
  for (const char* model : {"a", "b", "c"}) p.Deploy(model, 1);
  p.Deploy("wide", 1, 3);
  p.Steps(kEnough);
  auto tables = *p.registry->Load();
  EXPECT_THAT(tables.groups, SizeIs(3));
  EXPECT_EQ(p.Endpoints("wide"), 3u);
}

TEST(Reconciler, TheFiftyPercentRuleOpensANewGroup) {
  Platform p;
  p.Deploy("a", 1, 1, 0.3);
  p.Deploy("b", 1, 1, 0.3);
  p.Steps(kEnough);
  EXPECT_THAT(p.registry->Load()->groups, SizeIs(2));
}

TEST(Reconciler, ModelsThatDoNotFitIntoMemorySaySo) {
  Platform p;
  // The fake servers take 1 MiB each and say 1000 bytes of each copy; the first copy is known by its files.
  p.options_.decide.memory_bytes = 3 << 20;
  p.Restart();
  p.Deploy("a", 1);
  p.Deploy("large", 1, 1, 0.1, 4 << 20);
  p.Steps(kEnough);
  EXPECT_EQ(p.StateOf("a"), State::kReady);
  EXPECT_EQ(p.StateOf("large"), State::kPending);
  auto tables = *p.registry->Load();
  auto view = MakeModelView(tables, p.reconciler->Know(), *tables.Model("large"));
  EXPECT_NE(view.reason.find("memory: it needs about 4 MiB, and models have 1 of 3 MiB"), std::string::npos)
      << view.reason;
  EXPECT_THAT(p.reconciler->Know().warnings, Not(Contains(HasSubstr("--memory-mib"))));

  p.Deploy("wide", 1, 4, 0.1, 1 << 20);  // its copies prove smaller, but each needs a server
  p.Steps(2 * kEnough);
  EXPECT_EQ(p.StateOf("wide"), State::kDegraded);
  EXPECT_EQ(p.Endpoints("wide"), 3u);

  p.options_.decide.memory_bytes = 2 << 20;
  p.Restart();
  p.Steps(kEnough);
  EXPECT_EQ(p.Endpoints("wide"), 3u) << "what stands is not moved";
  EXPECT_THAT(p.reconciler->Know().warnings, Contains(HasSubstr("take 3 MiB, over the limit of 2 MiB")));

  ASSERT_TRUE(p.registry->DeleteModel("wide", "t").ok());
  p.options_.decide.memory_bytes = 8 << 20;
  p.Restart();
  p.Steps(kEnough);
  EXPECT_EQ(p.StateOf("large"), State::kReady) << "placed as soon as there is room";
}

TEST(Reconciler, ADepartmentsQuotaHoldsAndIsSaid) {
  Platform p;
  p.options_.decide.quota_shares = {{"default", 0.5}};
  p.Restart();
  p.Deploy("a", 1, 1, 0.3);
  p.Deploy("b", 1, 1, 0.3);
  p.Steps(kEnough);
  EXPECT_EQ(p.StateOf("a"), State::kReady);
  EXPECT_EQ(p.StateOf("b"), State::kPending);
  auto tables = *p.registry->Load();
  auto view = MakeModelView(tables, p.reconciler->Know(), *tables.Model("b"));
  EXPECT_THAT(view.reason,
              HasSubstr("department default has 0.50 cards' share and uses 0.30; 0.30 more is above it"));

  p.options_.decide.quota_shares = {{"default", 0.6}};
  p.Restart();
  p.Steps(kEnough);
  EXPECT_EQ(p.StateOf("b"), State::kReady) << "placed as soon as the quota allows it";
}

registry::ModelRow Asking(const std::string& name, double share = 0.1) {
  return {name, "default", share, 1, false, 0};
}

std::string GroupOf(Platform& p, const std::string& model) {
  auto tables = *p.registry->Load();
  auto copy = std::ranges::find(tables.copies, model, [](const auto& row) { return row.id.model; });
  return copy == tables.copies.end() ? "" : copy->id.group;
}

std::string WhyNotReady(Platform& p, const std::string& model, int64_t version) {
  auto tables = *p.registry->Load();
  return MakeModelView(tables, p.reconciler->Know(), *tables.Model(model)).Version(version)->reason;
}

TEST(Reconciler, ModelsKeptApartDoNotMeetWhicheverAsked) {
  Platform p;
  p.Deploy("rival", 1);
  p.Steps(kEnough);
  auto shy = Asking("shy");
  shy.keep_apart = {"rival", "later"};
  p.Deploy(shy, 1);
  p.Steps(kEnough);
  p.Deploy("later", 1);
  p.Steps(kEnough);
  EXPECT_NE(GroupOf(p, "shy"), GroupOf(p, "rival"));
  EXPECT_EQ(GroupOf(p, "later"), GroupOf(p, "rival"));
  EXPECT_EQ(p.StateOf("shy"), State::kReady);
}

TEST(Reconciler, TheGuaranteedClassIsNotOversoldAndAloneIsAlone) {
  Platform p;
  p.options_.decide.policy.limit = 1;
  p.Restart();
  auto paid = Asking("paid", 0.6);
  paid.sharing = registry::Sharing::kGuaranteed;
  p.Deploy(paid, 1);
  p.Steps(kEnough);
  p.world.Tick(std::chrono::hours(1));  // measured by now: it uses nothing
  p.Steps(kEnough);
  p.Deploy("fits", 1, 1, 0.4);
  p.Deploy("more", 1, 1, 0.2);
  auto solo = Asking("solo");
  solo.sharing = registry::Sharing::kAlone;
  p.Deploy(solo, 1);
  p.Steps(kEnough);
  p.Deploy("small", 1, 1, 0.05);
  p.Steps(kEnough);
  EXPECT_EQ(GroupOf(p, "fits"), GroupOf(p, "paid"));
  EXPECT_NE(GroupOf(p, "more"), GroupOf(p, "paid"));
  for (const char* other : {"paid", "fits", "more", "small"})
    EXPECT_NE(GroupOf(p, other), GroupOf(p, "solo"));
}

TEST(Reconciler, APinIsHonouredOrSaid) {
  Platform p;
  p.Deploy("a", 1, 1, 0.3);
  p.Deploy("b", 1, 1, 0.3);
  p.Steps(kEnough);
  ASSERT_NE(GroupOf(p, "a"), GroupOf(p, "b"));
  auto pinned = Asking("pinned");
  pinned.pinned_groups = {GroupOf(p, "b")};
  p.Deploy(pinned, 1);
  p.Steps(kEnough);
  EXPECT_EQ(GroupOf(p, "pinned"), GroupOf(p, "b"));
  p.Deploy(pinned, 2);
  p.Steps(kEnough);
  EXPECT_EQ(p.Endpoints("pinned"), 1u) << "the old version serves";
  EXPECT_THAT(WhyNotReady(p, "pinned", 2),
              HasSubstr("it is pinned to group g2, which holds a copy of pinned already"));
  pinned.pinned_groups.push_back(GroupOf(p, "a"));
  p.Deploy(pinned, 3);
  p.Steps(kEnough);
  EXPECT_EQ(GroupOf(p, "pinned"), GroupOf(p, "a")) << "an update moves between two pinned groups";
}

TEST(Reconciler, ACopySaysWhyItStandsWhereItDoes) {
  Platform p;
  p.Deploy("a", 1, 1, 0.3);
  p.Deploy("b", 1, 1, 0.3);
  p.Steps(kEnough);
  p.Restart();
  p.Steps(kEnough);
  auto tables = *p.registry->Load();
  auto because = [&](const char* model) {
    return MakeModelView(tables, p.reconciler->Know(), *tables.Model(model)).copies.at(0).placed_because;
  };
  EXPECT_EQ(because("a"), "no group fits; there is no group");
  EXPECT_THAT(because("b"), HasSubstr("no group fits; passed over g1: use"));
}

TEST(Reconciler, AStateThatIsAtRestStaysAtRest) {
  Platform p;
  p.Deploy("a", 1, 2);
  p.Steps(kEnough);
  auto tables = *p.registry->Load();
  int spawns = p.world.spawns(), publications = p.traffic.publications;
  p.Steps(kEnough);
  EXPECT_EQ(*p.registry->Load(), tables);
  EXPECT_EQ(p.world.spawns(), spawns);
  EXPECT_EQ(p.traffic.publications, publications);
}

TEST(Reconciler, ScalingUpAndDownDrainsBeforeItUnloads) {
  Platform p;
  p.Deploy("a", 1, 2);
  p.Steps(kEnough);
  ASSERT_TRUE(p.registry->Scale("a", 1, "t").ok());
  p.Steps(1);
  EXPECT_EQ(p.Endpoints("a"), 1u) << "out of the front door at once";
  EXPECT_THAT(p.world.Alive(), SizeIs(2)) << "and still there for what is under way";
  p.Steps(kEnough);
  EXPECT_THAT(p.world.Alive(), SizeIs(1));
  EXPECT_THAT(p.registry->Load()->groups, SizeIs(1));
  ASSERT_TRUE(p.registry->Scale("a", 0, "t").ok());
  p.Steps(kEnough);
  EXPECT_EQ(p.StateOf("a"), State::kStopped);
  EXPECT_THAT(p.world.Alive(), SizeIs(0));
  EXPECT_EQ(p.traffic.snapshot.models.count("a"), 1u) << "known, and without endpoints";
  ASSERT_TRUE(p.registry->Scale("a", 3, "t").ok());
  p.Steps(kEnough);
  EXPECT_EQ(p.Endpoints("a"), 3u);
}

TEST(Reconciler, WhatIsJustDeployedOrScaledSaysWhyItIsNotReady) {
  Platform p;
  auto look = [&p] {
    auto tables = *p.registry->Load();
    auto view = MakeModelView(tables, p.reconciler->Know(), *tables.Model("a"));
    return std::pair(view.state, view.reason);
  };
  p.Deploy("a", 1);
  EXPECT_EQ(look(),
            std::pair(State::kPending,
                      std::string("version 1: 0 of 1 copies ready, the others are about to be placed")));
  p.Steps(kEnough);
  EXPECT_EQ(look(), std::pair(State::kReady, std::string()));
  ASSERT_TRUE(p.registry->Scale("a", 3, "t").ok());
  EXPECT_EQ(look(),
            std::pair(State::kDegraded,
                      std::string("version 1: 1 of 3 copies ready, the others are about to be placed")));
  p.Steps(1);
  EXPECT_THAT(look().second, HasSubstr("copy in g"));
}

TEST(Reconciler, ACopyThatIsWantedAgainWhileItDrainsStays) {
  Platform p;
  p.Deploy("a", 1, 2);
  p.Steps(kEnough);
  int spawns = p.world.spawns();
  ASSERT_TRUE(p.registry->Scale("a", 1, "t").ok());
  p.Steps(2);
  ASSERT_TRUE(p.registry->Scale("a", 2, "t").ok());
  p.Steps(kEnough);
  EXPECT_EQ(p.Endpoints("a"), 2u);
  EXPECT_EQ(p.world.spawns(), spawns);
}

TEST(Reconciler, ANewVersionTakesOverWhenItIsReadyAndNeverSharesAServer) {
  Platform p;
  p.Deploy("a", 1);
  p.Steps(kEnough);
  p.Deploy("a", 2);
  for (int i = 0; i < kEnough; ++i) {
    p.Steps(1);
    EXPECT_EQ(p.Endpoints("a"), 1u) << "never without traffic";
  }
  auto tables = *p.registry->Load();
  EXPECT_EQ(tables.Version("a", 1)->state, registry::VersionState::kRetired);
  EXPECT_EQ(p.Endpoints("a@2"), 1u);
  EXPECT_EQ(p.traffic.snapshot.models.count("a@1"), 0u);
  EXPECT_THAT(p.world.Alive(), SizeIs(1));
}

TEST(Reconciler, ABrokenNewVersionLeavesTheOldOneServing) {
  Platform p;
  p.Deploy("broken", 1);
  p.Steps(kEnough);
  EXPECT_EQ(p.StateOf("broken"), State::kFailed);
  auto tables = *p.registry->Load();
  auto view = MakeModelView(tables, p.reconciler->Know(), tables.models[0]);
  EXPECT_NE(view.reason.find("rubbish"), std::string::npos) << view.reason;
}

TEST(Reconciler, AFixedRouteSplitsTrafficByWeight) {
  Platform p;
  p.Deploy("a", 1);
  p.Steps(kEnough);
  std::vector<registry::RouteRow> route = {{"a", 1, 100}};
  ASSERT_TRUE(p.registry->SetRoute("a", route, "t").ok());
  p.Deploy("a", 2);
  p.Steps(kEnough);
  EXPECT_EQ(p.Endpoints("a"), 1u) << "the new version waits for the route to name it";
  EXPECT_EQ(p.Endpoints("a@2"), 1u);
  route = {{"a", 1, 90}, {"a", 2, 10}};
  ASSERT_TRUE(p.registry->SetRoute("a", route, "t").ok());
  p.Steps(1);
  ASSERT_EQ(p.Endpoints("a"), 2u);
  std::vector<uint32_t> weights;
  for (const auto& endpoint : p.traffic.snapshot.models["a"].endpoints) weights.push_back(endpoint.weight);
  EXPECT_THAT(weights, ::testing::UnorderedElementsAre(9000, 1000));
}

TEST(Reconciler, ADeletedModelDrainsAndLeavesNothing) {
  Platform p;
  p.Deploy("a", 1, 2);
  p.Steps(kEnough);
  ASSERT_TRUE(p.registry->DeleteModel("a", "t").ok());
  p.Steps(1);
  EXPECT_TRUE(p.traffic.snapshot.models.empty());
  EXPECT_EQ(p.StateOf("a"), State::kRemoving);
  p.Steps(kEnough);
  auto tables = *p.registry->Load();
  EXPECT_TRUE(tables.models.empty() && tables.groups.empty() && tables.copies.empty());
  EXPECT_THAT(p.world.Alive(), SizeIs(0));
}

TEST(Reconciler, AKilledServerLosesItsTrafficAndGetsItBack) {
  Platform p;
  p.Deploy("a", 1, 2);
  p.Steps(kEnough);
  p.world.Kill(p.world.Alive()[0]);
  p.Steps(2);
  EXPECT_EQ(p.Endpoints("a"), 1u);
  EXPECT_EQ(p.StateOf("a"), State::kDegraded);
  p.Steps(kEnough);
  EXPECT_EQ(p.Endpoints("a"), 2u);
}

TEST(Reconciler, ARestartedControllerPublishesNothingBeforeItKnows) {
  Platform p;
  p.Deploy("a", 1);
  p.Steps(kEnough);
  auto before = p.traffic.snapshot;
  int publications = p.traffic.publications;
  p.Restart();
  ASSERT_TRUE(p.reconciler->Pass().ok());
  EXPECT_EQ(p.traffic.publications, publications) << "nobody asked the servers yet";
  p.Steps(1);
  EXPECT_EQ(p.traffic.snapshot, before);
  EXPECT_EQ(p.traffic.publications, publications + 1);
  p.Steps(10);
  EXPECT_EQ(p.world.spawns(), 1);
}

// The property: whatever is killed, wherever we crash, whatever fails in between, the end is what was
// ordered.
class Chaos : public ::testing::TestWithParam<uint64_t> {};

TEST_P(Chaos, ConvergesToWhatWasOrdered) {
  Platform p;
  Rng rng(GetParam());
  std::map<std::string, int> wanted;  // model → copies
  for (int order = 0; order < 8; ++order) {
    std::string model = fmt::format("m{}", rng.Below(4));
    auto tables = *p.registry->Load();
    bool deleting = tables.Model(model) != nullptr && !wanted.contains(model);
    uint64_t what = rng.Below(4);
    if (!wanted.contains(model) || what == 0) {
      int copies = static_cast<int>(rng.Below(3)) + 1;
      p.Deploy(model, *p.registry->NextVersion(model), copies, rng.Uniform() < 0.5 ? 0.1 : 0.4);
      wanted[model] = copies;
    } else if (what == 1 && !deleting) {
      wanted[model] = static_cast<int>(rng.Below(4));
      ASSERT_TRUE(p.registry->Scale(model, wanted[model], "t").ok());
    } else if (what == 2) {
      ASSERT_TRUE(p.registry->DeleteModel(model, "t").ok());
      wanted.erase(model);
    }
    p.world.FailWith(rng.Uniform() < 0.5 ? 0.15 : 0.0);
    p.world.CrashAt(static_cast<int>(rng.Below(80)) + 1, rng.Below(2) == 0);
    for (uint64_t i = 0, n = rng.Below(25); i < n; ++i) {
      try {
        if (auto alive = p.world.Alive(); !alive.empty() && rng.Uniform() < 0.1) {
          p.world.Kill(alive[rng.Below(alive.size())]);
        }
        p.Steps(1);
      } catch (const deploy::Crash&) {
        p.world.NoCrash();
        p.Restart();
      }
    }
    p.world.NoCrash();
    if (rng.Uniform() < 0.3) p.Restart();
  }
  p.world.FailWith(0);
  p.Steps(200, std::chrono::seconds(1));  // past the longest back-off
  p.Steps(kEnough);
  auto tables = *p.registry->Load();
  EXPECT_EQ(tables.models.size(), wanted.size());
  size_t servers = 0;
  for (const auto& [model, copies] : wanted) {
    EXPECT_EQ(p.Endpoints(model), static_cast<size_t>(copies)) << model;
    EXPECT_EQ(p.StateOf(model), copies == 0 ? State::kStopped : State::kReady) << model;
  }
  for (const auto& copy : tables.copies) EXPECT_EQ(copy.state, registry::CopyState::kPlaced);
  for (const auto& server : tables.servers) {
    EXPECT_THAT(p.world.AliveServers(server.id), SizeIs(1)) << server.id;
    ++servers;
  }
  EXPECT_THAT(p.world.Alive(), SizeIs(servers)) << "no process that nobody knows";
}

INSTANTIATE_TEST_SUITE_P(Seeds, Chaos, ::testing::Range<uint64_t>(1, 11));

}  // namespace
}  // namespace snug::controller
