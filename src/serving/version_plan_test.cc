#include "serving/version_plan.h"

#include <gtest/gtest.h>

namespace snug::serving {
namespace {

using repository::Swap;
using repository::VersionPolicy;

repository::ModelEntry OnDisk(const std::vector<int64_t>& versions, VersionPolicy policy = {},
                              Swap swap = Swap::kAvailable) {
  repository::ModelEntry model;
  for (int64_t version : versions) model.versions[version].version = version;
  model.config.versions = std::move(policy);
  model.config.swap = swap;
  return model;
}

const VersionPolicy kLatestOne{VersionPolicy::Kind::kLatest, 1, {}};

TEST(VersionPlan, LoadsWhatIsWantedAndNotHere) {
  EXPECT_EQ(PlanVersions(OnDisk({1, 2}), {}, {}), (VersionPlan{{}, {1, 2}, {}}));
  EXPECT_EQ(PlanVersions(OnDisk({1, 2}, kLatestOne), {}, {}), (VersionPlan{{}, {2}, {}}));
  EXPECT_EQ(PlanVersions(OnDisk({1, 2}), {{1, State::kReady}, {2, State::kLoading}}, {}), VersionPlan{});
  EXPECT_EQ(PlanVersions(OnDisk({1}), {{1, State::kUnloading}}, {}), (VersionPlan{{}, {1}, {}}));
}

TEST(VersionPlan, AvailableUnloadsOnlyAfterASuccessorIsReady) {
  const auto disk = OnDisk({1, 2}, kLatestOne);
  EXPECT_EQ(PlanVersions(disk, {{1, State::kReady}}, {}), (VersionPlan{{}, {2}, {1}}));
  EXPECT_EQ(PlanVersions(disk, {{1, State::kReady}, {2, State::kLoading}}, {}), (VersionPlan{{}, {}, {1}}));
  EXPECT_EQ(PlanVersions(disk, {{1, State::kReady}, {2, State::kReady}}, {}), (VersionPlan{{1}, {}, {}}));
  EXPECT_EQ(PlanVersions(disk, {{1, State::kReady}, {2, State::kUnavailable}}, {}),
            (VersionPlan{{}, {}, {1}}))
      << "a successor that fails leaves the old one serving";
}

TEST(VersionPlan, OneOnStandbyAnswersToo) {
  const auto disk = OnDisk({1, 2}, kLatestOne);
  EXPECT_EQ(PlanVersions(disk, {{1, State::kStandby}, {2, State::kStandby}}, {}), (VersionPlan{{1}, {}, {}}));
  EXPECT_EQ(PlanVersions(OnDisk({1}), {{1, State::kStandby}}, {}), VersionPlan{});
}

TEST(VersionPlan, FrugalUnloadsFirst) {
  const auto disk = OnDisk({1, 2}, kLatestOne, Swap::kFrugal);
  EXPECT_EQ(PlanVersions(disk, {{1, State::kReady}}, {}), (VersionPlan{{1}, {2}, {}}));
}

TEST(VersionPlan, WhatIsGoneIsUnloaded) {
  EXPECT_EQ(PlanVersions(OnDisk({}), {{1, State::kReady}, {2, State::kUnloading}}, {}),
            (VersionPlan{{1}, {}, {}}));
  EXPECT_EQ(PlanVersions(OnDisk({2}), {{1, State::kUnavailable}, {2, State::kReady}}, {}),
            (VersionPlan{{1}, {}, {}}));
}

TEST(VersionPlan, AFailedVersionWaitsForItsFilesToChange) {
  EXPECT_EQ(PlanVersions(OnDisk({1}), {{1, State::kUnavailable}}, {}), VersionPlan{});
  EXPECT_EQ(PlanVersions(OnDisk({1}), {{1, State::kUnavailable}}, {1}), (VersionPlan{{}, {1}, {}}));
  EXPECT_EQ(PlanVersions(OnDisk({1}), {{1, State::kReady}}, {1, 7}), (VersionPlan{{}, {1}, {}}));
}

}  // namespace
}  // namespace snug::serving
