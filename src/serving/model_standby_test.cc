// Versions that are loaded only when they are asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/testing/manager_fixture.h"

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using repository::LoadTime;
using testing::HasSubstr;

class StandbyTest : public ManagerTest {
 protected:
  StandbyTest() { load_time_ = LoadTime::kOnRequest; }
  void LoadAll() {
    std::promise<Status> outcome;
    auto future = outcome.get_future();
    manager().LoadAll([&](Status status) { outcome.set_value(std::move(status)); });
    ASSERT_TRUE(Get(future).ok());
  }
  void Align(const std::string& model, std::set<int64_t> changed = {}) {
    std::promise<Status> outcome;
    auto future = outcome.get_future();
    manager().Align(*repository::ReadModel(root_, model), std::move(changed),
                    [&](Status status) { outcome.set_value(std::move(status)); });
    ASSERT_TRUE(Get(future).ok());
  }
  Code CodeOf(std::future<Result<InferResponse>> future) { return Get(future).status().code(); }
};

TEST_F(StandbyTest, TheFirstRequestLoadsAndOthersWaitForThatOneLoad) {
  AddVersion("m", 1);
  LoadAll();
  EXPECT_EQ(control_.loads(), 0);
  EXPECT_EQ(StatusOf("m", 1).state, State::kStandby);
  EXPECT_THAT(StatusOf("m", 1).reason, HasSubstr("the first request loads it"));
  EXPECT_TRUE(manager().Settled());
  EXPECT_TRUE(manager().Ready("m", "").ok()) << "it takes requests";
  EXPECT_FALSE((*manager().Statistics("m", ""))[0].loaded);
  control_.HoldLoads(true);
  auto first = Infer("m"), second = Infer("m", TimePoint::max(), nullptr, "1");
  ASSERT_TRUE(control_.WaitForLoads(1));
  auto third = Infer("m");
  EXPECT_EQ(StatusOf("m", 1).state, State::kLoading);
  EXPECT_TRUE(manager().Ready("m", "1").ok());
  control_.HoldLoads(false);
  EXPECT_EQ(CodeOf(std::move(first)), Code::kOk);
  EXPECT_EQ(CodeOf(std::move(second)), Code::kOk);
  EXPECT_EQ(CodeOf(std::move(third)), Code::kOk);
  EXPECT_EQ(control_.loads(), 1);
  EXPECT_EQ(StatusOf("m", 1).state, State::kReady);
  EXPECT_TRUE((*manager().Statistics("m", ""))[0].loaded);
}

TEST_F(StandbyTest, ModelYamlSaysOtherwise) {
  AddVersion("now", 1, "load: at-start\n");
  AddVersion("later", 1);
  LoadAll();
  EXPECT_EQ(StatusOf("now", 1).state, State::kReady);
  EXPECT_EQ(StatusOf("later", 1).state, State::kStandby);
}

TEST_F(StandbyTest, WithoutLateLoadingModelYamlIsNotHeeded) {
  load_time_.reset();
  AddVersion("m", 1, "load: on-request\n");
  LoadAll();
  EXPECT_EQ(StatusOf("m", 1).state, State::kReady);
}

TEST_F(StandbyTest, WaitingEndsWithTheDeadlineOrTheClient) {
  AddVersion("m", 1);
  LoadAll();
  control_.HoldLoads(true);
  auto hurried = Infer("m", clock_.Now() + 1s);
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  auto given_up = Infer("m", TimePoint::max(), cancelled);
  auto patient = Infer("m");
  ASSERT_TRUE(control_.WaitForLoads(1));
  clock_.Advance(2s);
  auto answer = Get(hurried);
  EXPECT_EQ(answer.status().code(), Code::kDeadlineExceeded);
  EXPECT_THAT(answer.status().text(), HasSubstr("after 2.000 s of waiting for the model's load"));
  *cancelled = true;
  EXPECT_EQ(CodeOf(std::move(given_up)), Code::kCancelled);
  control_.HoldLoads(false);
  EXPECT_EQ(CodeOf(std::move(patient)), Code::kOk);
}

TEST_F(StandbyTest, NoMoreWaitThanQueueLimit) {
  AddVersion("m", 1, "queue_limit: 1\n");
  LoadAll();
  control_.HoldLoads(true);
  auto first = Infer("m"), second = Infer("m");
  auto refused = Get(second);
  EXPECT_EQ(refused.status().code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.status().text(), HasSubstr("1 requests wait already for its load (queue_limit 1)"));
  control_.HoldLoads(false);
  EXPECT_EQ(CodeOf(std::move(first)), Code::kOk);
}

TEST_F(StandbyTest, AFailedLoadIsEveryWaitersAnswerAndNotReadyAnyMore) {
  AddVersion("m", 1);
  LoadAll();
  control_.FailLoads(Internal("the graph is broken"));
  auto first = Infer("m"), second = Infer("m");
  for (auto* waiter : {&first, &second}) {
    auto answer = Get(*waiter);
    EXPECT_EQ(answer.status().code(), Code::kUnavailable);
    EXPECT_THAT(answer.status().text(), HasSubstr("the graph is broken"));
  }
  EXPECT_FALSE(manager().Ready("m", "").ok());
  EXPECT_EQ(control_.loads(), 1);
}

TEST_F(StandbyTest, AFailureThatMayPassIsTriedAgainWhileRequestsWait) {
  load_retries_max_ = 1;
  AddVersion("m", 1);
  LoadAll();
  control_.FailLoads(Unavailable("no memory just now"), 1);
  EXPECT_EQ(CodeOf(Infer("m")), Code::kOk);
  EXPECT_EQ(control_.loads(), 2);
}

TEST_F(StandbyTest, PayloadsAndDescriptionsWaitToo) {
  AddVersion("m", 1, "parser: pair\n");
  AddVersion("n", 1);
  LoadAll();
  auto payload = Predict("m", "1 2");
  EXPECT_EQ(Get(payload)->payload, "1 2");
  EXPECT_EQ(manager().Describe("n", "").status().code(), Code::kUnavailable);
  EXPECT_TRUE(manager().ComesLate("n", ""));
  std::promise<Status> loaded;
  auto future = loaded.get_future();
  manager().WhenLoaded("n", "", TimePoint::max(), nullptr, [&](Status s) { loaded.set_value(std::move(s)); });
  EXPECT_TRUE(Get(future).ok());
  EXPECT_TRUE(manager().Describe("n", "").ok());
  bool at_once = false;
  manager().WhenLoaded("nonesuch", "", TimePoint::max(), nullptr, [&](const Status& s) { at_once = s.ok(); });
  EXPECT_TRUE(at_once) << "there is nothing to wait for";
}

TEST_F(StandbyTest, TheBackgroundLoadsAllAndWhatIsAskedForGoesFirst) {
  load_time_ = LoadTime::kBackground;
  for (const char* name : {"a", "b", "c", "d"}) AddVersion(name, 1);
  control_.HoldLoads(true);
  LoadAll();
  ASSERT_TRUE(control_.WaitForLoads(1));
  std::vector<std::string> order;
  std::mutex mutex;
  engines_.control_of = [&](const engine::LoadRequest& request) -> FakeControl& {
    std::lock_guard lock(mutex);
    order.push_back(request.directory.substr(root_.size() + 1, 1));
    return control_;
  };
  auto asked = Infer("d");
  control_.HoldLoads(false);
  EXPECT_EQ(CodeOf(std::move(asked)), Code::kOk);
  ASSERT_TRUE(control_.WaitForModels(4));
  ASSERT_EQ(control_.loads(), 4);
  std::lock_guard lock(mutex);
  ASSERT_EQ(order.size(), 3u) << "the first one was under way, and none is loaded twice";
  EXPECT_EQ(order[0], "d");
}

TEST_F(StandbyTest, ACallLoadsAtOnceAndItsOutcomeIsTheWaitersToo) {
  AddVersion("m", 1);
  LoadAll();
  EXPECT_TRUE(Load("m").ok());
  EXPECT_EQ(StatusOf("m", 1).state, State::kReady);
  EXPECT_EQ(control_.loads(), 1);
  EXPECT_EQ(CodeOf(Infer("m")), Code::kOk);
}

TEST_F(StandbyTest, UnloadingSendsTheWaitersAway) {
  AddVersion("m", 1);
  LoadAll();
  control_.HoldLoads(true);
  auto waiter = Infer("m");
  ASSERT_TRUE(control_.WaitForLoads(1));
  EXPECT_TRUE(Unload("m").ok());
  const Code code = CodeOf(std::move(waiter));
  EXPECT_TRUE(code == Code::kUnavailable || code == Code::kNotFound);
  control_.HoldLoads(false);
}

TEST_F(StandbyTest, StoppingSendsTheWaitersAway) {
  AddVersion("m", 1);
  LoadAll();
  load_retries_max_ = 0;
  control_.HoldLoads(true);
  auto waiter = Infer("m");
  ASSERT_TRUE(control_.WaitForLoads(1));
  std::thread release([&] { control_.HoldLoads(false); });
  manager_.reset();
  release.join();
  auto answer = Get(waiter);
  EXPECT_TRUE(answer.ok() || answer.status().code() == Code::kUnavailable);
}

TEST_F(StandbyTest, TheHighestVersionIsTheStandardOneLoadedOrNot) {
  AddVersion("m", 1);
  AddVersion("m", 2);
  LoadAll();
  EXPECT_EQ(CodeOf(Infer("m", TimePoint::max(), nullptr, "1")), Code::kOk);
  EXPECT_EQ(StatusOf("m", 2).state, State::kStandby);
  auto answer = Infer("m");
  EXPECT_EQ(Get(answer)->version, 2);
  EXPECT_THAT(manager().Describe("m", "")->versions, testing::ElementsAre(1, 2));
}

TEST_F(StandbyTest, ANewVersionOfAModelInUseIsLoadedBeforeItTakesOver) {
  AddVersion("m", 1, "versions: latest\n");
  LoadAll();
  AddVersion("m", 2);
  Align("m", {2});
  EXPECT_EQ(StatusOf("m", 2).state, State::kStandby) << "nothing of it was in use";
  EXPECT_EQ(CodeOf(Infer("m")), Code::kOk);
  AddVersion("m", 3);
  Align("m", {3});
  EXPECT_EQ(StatusOf("m", 3).state, State::kReady);
}

TEST_F(StandbyTest, FilesThatChangeBeforeTheFirstRequestAreReadThen) {
  AddVersion("m", 1);
  LoadAll();
  AddVersion("m", 1, "instances: 2\n");
  Align("m", {1});
  EXPECT_EQ(StatusOf("m", 1).state, State::kStandby);
  EXPECT_EQ(CodeOf(Infer("m")), Code::kOk);
  EXPECT_EQ((*manager().Statistics("m", ""))[0].instances, 2u);
}

// Each look is one of TrimIdle, which sees what happened since the one before.
TEST_F(StandbyTest, WhatIsNotAskedForLeavesMemoryAndComesBackForTheNextRequest) {
  AddVersion("m", 1, "standby_after_s: 60\nlimits: {concurrent: 1}\n");
  ASSERT_TRUE(Load("m").ok());
  EXPECT_EQ(CodeOf(Infer("m")), Code::kOk);
  manager().TrimIdle();
  clock_.Advance(59s);
  manager().TrimIdle();
  EXPECT_EQ(StatusOf("m", 1).state, State::kReady);
  EXPECT_EQ(CodeOf(Infer("m")), Code::kOk);
  const uint64_t held = StatusOf("m", 1).memory_bytes;
  EXPECT_GT(held, 0u);
  manager().TrimIdle();
  clock_.Advance(60s);
  manager().TrimIdle();
  EXPECT_EQ(StatusOf("m", 1).state, State::kStandby);
  EXPECT_THAT(StatusOf("m", 1).reason, HasSubstr("the next request loads it again"));
  EXPECT_TRUE(StatusOf("m", 1).takes_requests);
  EXPECT_EQ(StatusOf("m", 1).memory_bytes, held) << "room is kept for it";
  EXPECT_TRUE(control_.WaitForModels(0));
  EXPECT_TRUE(manager().Ready("m", "").ok());
  EXPECT_EQ(CodeOf(Infer("m")), Code::kOk);
  EXPECT_EQ(CodeOf(Infer("m")), Code::kOk) << "the limit counted one request twice";
  EXPECT_EQ(control_.loads(), 2);
  EXPECT_EQ((*manager().Statistics("m", ""))[0].stats->Succeeded(), 4u) << "statistics go on";
}

TEST_F(StandbyTest, TheServerSaysHowLongUnlessModelYamlDoes) {
  standby_after_ = 10s;
  AddVersion("usual", 1, "load: at-start\n");
  AddVersion("never", 1, "load: at-start\nstandby_after_s: never\n");
  LoadAll();
  for (int i = 0; i < 2; ++i) {
    manager().TrimIdle();
    clock_.Advance(10s);
  }
  manager().TrimIdle();
  EXPECT_EQ(StatusOf("usual", 1).state, State::kStandby);
  EXPECT_EQ(StatusOf("never", 1).state, State::kReady);
}

TEST_F(StandbyTest, WhatItIsLoadedAnewByCounts) {
  AddVersion("m", 1, "standby_after_s: 1\n");
  ASSERT_TRUE(Load("m").ok());
  AddVersion("m", 1, "instances: 1\n");
  ASSERT_TRUE(Load("m").ok());
  manager().TrimIdle();
  clock_.Advance(60s);
  manager().TrimIdle();
  EXPECT_EQ(StatusOf("m", 1).state, State::kReady);
}

TEST_F(StandbyTest, WhatWouldNotComeBackStays) {
  AddVersion("m", 1, "standby_after_s: 1\n");
  ASSERT_TRUE(Load("m").ok());
  control_.FailLoads(Internal("the new files are broken"));
  EXPECT_FALSE(Load("m").ok());
  manager().TrimIdle();
  clock_.Advance(60s);
  manager().TrimIdle();
  EXPECT_EQ(StatusOf("m", 1).state, State::kReady);
  EXPECT_EQ(CodeOf(Infer("m")), Code::kOk);
}

TEST_F(StandbyTest, WithoutLateLoadingNothingLeaves) {
  load_time_.reset();
  AddVersion("m", 1, "standby_after_s: 1\n");
  ASSERT_TRUE(Load("m").ok());
  manager().TrimIdle();
  clock_.Advance(60s);
  manager().TrimIdle();
  EXPECT_EQ(StatusOf("m", 1).state, State::kReady);
}

TEST_F(StandbyTest, AReloadThatFailsIsTheAnswer) {
  AddVersion("m", 1, "standby_after_s: 1\n");
  ASSERT_TRUE(Load("m").ok());
  manager().TrimIdle();
  clock_.Advance(60s);
  manager().TrimIdle();
  ASSERT_TRUE(control_.WaitForModels(0));
  control_.FailLoads(Internal("the graph is gone"));
  auto waiter = Infer("m");
  auto answer = Get(waiter);
  EXPECT_EQ(answer.status().code(), Code::kUnavailable);
  EXPECT_THAT(answer.status().text(), HasSubstr("the graph is gone"));
}

// Requests race with the leaving of their model: each is answered, whichever comes first.
TEST_F(StandbyTest, NoRequestIsLostWhileItsModelLeaves) {
  AddVersion("m", 1, "standby_after_s: 1\n");
  ASSERT_TRUE(Load("m").ok());
  std::atomic<bool> over = false;
  std::thread looks([&] {
    while (!over) {
      clock_.Advance(1s);
      manager().TrimIdle();
    }
  });
  for (int i = 0; i < 300; ++i) EXPECT_EQ(CodeOf(Infer("m")), Code::kOk) << i;
  over = true;
  looks.join();
}

}  // namespace
}  // namespace snug::serving
