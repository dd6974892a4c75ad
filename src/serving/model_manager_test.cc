#include "serving/model_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/testing/manager_fixture.h"

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST_F(ManagerTest, WarmsUpBeforeReadyAndInfers) {
  AddVersion("m", 3, "instances: 2\n");
  ASSERT_TRUE(Load("m").ok());
  EXPECT_EQ(control_.executions(), 2) << "one warm-up for each instance";
  EXPECT_EQ(StatusOf("m", 3).state, State::kReady);
  auto future = Infer("m");
  auto result = Get(future);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->version, 3);
  ASSERT_EQ(result->outputs.size(), 2u);
  EXPECT_EQ(static_cast<const float*>(result->outputs[0].buffer.data())[1], 2.0f);
}

TEST_F(ManagerTest, QuickModelIsExecutedOnTheCallersThreadAndStopsClean) {
  engines_.info.only_computes = true;
  AddVersion("m", 1);
  ASSERT_TRUE(Load("m").ok());
  std::atomic<int> here = 0;
  auto infer = [&](bool may_run_here) {
    InferRequest request;
    request.model = "m";
    request.arrival = clock_.Now();
    request.may_run_here = may_run_here;
    request.inputs = {Floats("x", {1, 2}, {1, 2})};
    std::promise<void> answered;
    manager().Infer(std::move(request), [&, caller = std::this_thread::get_id()](auto result) {
      EXPECT_TRUE(result.ok());
      if (std::this_thread::get_id() == caller) ++here;
      answered.set_value();
    });
    answered.get_future().wait();
  };
  infer(true);
  EXPECT_EQ(here, 0) << "not before the model has shown that it is quick";
  // The instance's thread may be held up between its answer and letting go of the instance.
  for (int i = 0; i < 100'000 && here == 0; ++i) {
    std::this_thread::yield();
    infer(true);
  }
  EXPECT_EQ(here, 1);
  control_.Hold();
  std::thread first([&] { infer(true); });
  ASSERT_TRUE(control_.WaitForRunning(1));
  auto second = Infer("m");  // finds the instance taken: waits for its thread
  control_.Release();
  first.join();
  EXPECT_TRUE(Get(second).ok());
  EXPECT_EQ(here, 2);
  infer(false);
  EXPECT_EQ(here, 2);
  EXPECT_TRUE(Unload("m").ok());
}

TEST_F(ManagerTest, FailedWarmUpMakesItUnavailableWithTheReason) {
  AddVersion("m", 1);
  control_.FailExecutions(1, Internal("the graph is broken"));
  EXPECT_EQ(Load("m").code(), Code::kInternal);
  EXPECT_EQ(StatusOf("m", 1).state, State::kUnavailable);
  EXPECT_THAT(StatusOf("m", 1).reason,
              HasSubstr("the warm-up failed: the graph is broken; if the model cannot take zeros: "));
  auto future = Infer("m");
  EXPECT_EQ(Get(future).status().code(), Code::kUnavailable);
  EXPECT_TRUE(control_.WaitForModels(0));
}

TEST_F(ManagerTest, RecordedRequestsWarmUpEachInstance) {
  AddVersion("m", 1, "instances: 2\nparser: pair\nwarmup: {rounds: 3}\n");
  WarmupRequest tensors{"a.json", "", {Floats("x", {4, 2}, std::vector<float>(8, 1.0f))}, false, "", "", {}};
  WarmupRequest payload{"b.txt", "", {}, true, "text/plain", "1 2", {}};
  warmup_ = {tensors, payload};
  ASSERT_TRUE(Load("m").ok());
  EXPECT_EQ(control_.executions(), 2 + 3 * 2 * 2) << "zeros once, two requests three times, on two instances";
  EXPECT_EQ((*manager().Statistics("m", "1"))[0].stats->requests[0].value(), 0u)
      << "clients' requests alone count";
}

TEST_F(ManagerTest, ARecordedRequestThatFailsNamesItself) {
  AddVersion("m", 1, "warmup: {zeros: false}\n");
  EXPECT_THAT(Load("m").text(), HasSubstr("holds no requests for it"));
  warmup_ = {{"a.json", "", {Floats("q", {1, 2}, {1, 2})}, false, "", "", {}}};
  EXPECT_THAT(Load("m").text(), HasSubstr("the warm-up failed: a.json: "));
  warmup_ = {{"b.png", "", {}, true, "image/png", "x", {}}};
  EXPECT_THAT(Load("m").text(), HasSubstr("b.png: it is a payload, and the model has no parser"));
  EXPECT_EQ(StatusOf("m", 1).state, State::kUnavailable);
}

TEST_F(ManagerTest, WrongGuessesOfFreeDimensionsAreNoFailure) {
  engines_.info.inputs = {{"x", DType::kFp32, {-1, -1}}};
  AddVersion("m", 1);
  control_.FailExecutions(4, InvalidArgument("odd size"));
  EXPECT_TRUE(Load("m").ok());
  EXPECT_EQ(StatusOf("m", 1).state, State::kReady);
  EXPECT_THAT(StatusOf("m", 1).reason, HasSubstr("not warmed up"));
}

TEST_F(ManagerTest, LoadAllKeepsGoingPastBrokenModels) {
  AddVersion("good", 1);
  AddVersion("bad", 1, "no_such_key: 1\n");
  AddVersion("odd", 1, "parser: nonesuch\n");
  std::promise<Status> outcome;
  auto future = outcome.get_future();
  manager().LoadAll([&](Status status) { outcome.set_value(std::move(status)); });
  EXPECT_TRUE(Get(future).ok());
  EXPECT_EQ(StatusOf("good", 1).state, State::kReady);
  EXPECT_EQ(StatusOf("odd", 1).state, State::kUnavailable);
  EXPECT_TRUE(manager().Settled());
}

TEST_F(ManagerTest, NamesAndVersionsThatAreNotHere) {
  AddVersion("m", 1);
  AddVersion("m", 2, "labels: {stable: 1}\n");
  ASSERT_TRUE(Load("m").ok());
  struct {
    const char* model;
    const char* version;
    Code code;
    const char* text;
  } cases[] = {{"m", "", Code::kOk, ""},
               {"m", "2", Code::kOk, ""},
               {"m", "stable", Code::kOk, ""},
               {"n", "", Code::kNotFound, "Request for unknown model: 'n' is not found; models here: m"},
               {"m", "3", Code::kNotFound, "versions here: 1, 2, \"stable\" = 1"},
               {"m", "gold", Code::kNotFound, "version 'gold' is not found"},
               {"m", "2x", Code::kInvalidArgument, "2x"}};
  for (const auto& c : cases) {
    auto future = Infer(c.model, TimePoint::max(), nullptr, c.version);
    auto result = Get(future);
    EXPECT_EQ(result.status().code(), c.code) << c.model << " " << c.version;
    EXPECT_THAT(result.status().text(), HasSubstr(c.text));
  }
  EXPECT_EQ(manager().Describe("m", "stable")->version, 1);
  EXPECT_THAT(manager().Describe("m", "")->versions, testing::ElementsAre(1, 2));
}

TEST_F(ManagerTest, QueueLimitIsNamed) {
  AddVersion("m", 1, "queue_limit: 2\n");
  ASSERT_TRUE(Load("m").ok());
  control_.Hold();
  auto running = Infer("m");
  ASSERT_TRUE(control_.WaitForRunning(1));
  auto first = Infer("m");
  auto second = Infer("m");
  auto third = Infer("m");
  auto refused = Get(third);
  EXPECT_EQ(refused.status().code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.status().text(), HasSubstr("2 requests wait already (queue_limit 2)"));
  control_.Release();
  for (auto* future : {&running, &first, &second}) EXPECT_TRUE(Get(*future).ok());
}

TEST_F(ManagerTest, LimitsHoldForAllVersionsTogetherAndOutliveAReload) {
  AddVersion("m", 1);
  AddVersion("m", 2, "limits: {requests_per_second: 1, burst: 2}\n");
  ASSERT_TRUE(Load("m").ok());
  auto first = Infer("m", TimePoint::max(), nullptr, "1");
  auto second = Infer("m", TimePoint::max(), nullptr, "2");
  EXPECT_TRUE(Get(first).ok());
  EXPECT_TRUE(Get(second).ok());
  ASSERT_TRUE(Load("m").ok());
  auto third = Infer("m");
  EXPECT_THAT(Get(third).status().ToString(),
              HasSubstr("RESOURCE_EXHAUSTED: model \"m\" takes 1 requests per second"));
  EXPECT_EQ((*manager().Statistics("m", "2"))[0].stats->limited.value(), 1u);
  clock_.Advance(1s);
  auto fourth = Infer("m");
  EXPECT_TRUE(Get(fourth).ok());
}

TEST_F(ManagerTest, ConcurrentRequestsLeaveRoomWhenTheyAreAnswered) {
  AddVersion("m", 1, "limits: {concurrent: 1}\n");
  ASSERT_TRUE(Load("m").ok());
  for (int i = 0; i < 3; ++i) {
    control_.Hold();
    auto running = Infer("m");
    ASSERT_TRUE(control_.WaitForRunning(1));
    auto refused = Infer("m");
    EXPECT_EQ(Get(refused).status().code(), Code::kResourceExhausted);
    control_.Release();
    EXPECT_TRUE(Get(running).ok());
  }
}

TEST_F(ManagerTest, EqualRequestsAreAnsweredFromTheCacheOfTheirVersion) {
  AddVersion("m", 1);
  AddVersion("m", 2, "cache: on\nparser: pair\n");
  ASSERT_TRUE(Load("m").ok());
  const int warm = control_.executions();
  auto ask = [&](const std::string& version) {
    auto future = Infer("m", TimePoint::max(), nullptr, version);
    auto answer = Get(future);
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ(std::to_string(answer->version), version);
    ASSERT_EQ(answer->outputs.size(), 2u);
    EXPECT_EQ(static_cast<const float*>(answer->outputs[1].buffer.data())[1], 2.0f);
  };
  ask("1");
  ask("1");
  EXPECT_EQ(control_.executions(), warm + 1);
  ask("2");
  EXPECT_EQ(control_.executions(), warm + 2) << "never across versions";
  for (int i = 0; i < 2; ++i) {
    auto predicted = Predict("m", "3 4");
    EXPECT_EQ(Get(predicted)->payload, "3 4");
  }
  EXPECT_EQ(control_.executions(), warm + 3);
  const auto numbers = (*manager().Statistics("m", "1"))[0];
  EXPECT_EQ(numbers.stats->cache_hits.value(), 1u);
  EXPECT_EQ(numbers.stats->cache_misses.value(), 1u);
  EXPECT_EQ(numbers.stats->Succeeded(), 2u);
  EXPECT_EQ(numbers.cache.entries, 1u);
  ASSERT_TRUE(Load("m", "1").ok());
  ask("1");
  EXPECT_GT((*manager().Statistics("m", "1"))[0].stats->cache_misses.value(), 1u) << "nor across copies";
}

TEST_F(ManagerTest, ModelsAreTrimmedAfterTheLoadAndOnceWhenTheyIdle) {
  AddVersion("m", 1);
  ASSERT_TRUE(Load("m").ok());
  EXPECT_EQ(control_.trims(false), 1);
  for (int i = 0; i < 3; ++i) manager().TrimIdle();
  EXPECT_EQ(control_.trims(true), 1) << "not at the first look, it had been used before, and then once";
  for (int i = 0; i < 3; ++i) {
    auto future = Infer("m");
    ASSERT_TRUE(Get(future).ok());
    manager().TrimIdle();
  }
  EXPECT_EQ(control_.trims(true), 1) << "it is in use";
  manager().TrimIdle();
  manager().TrimIdle();
  EXPECT_EQ(control_.trims(true), 2);
}

TEST_F(ManagerTest, ComputeAndMemoryAreCountedByInstanceAndCopy) {
  AddVersion("m", 1, "instances: 2\n");
  ASSERT_TRUE(Load("m").ok());
  control_.Hold();
  auto first = Infer("m");
  auto second = Infer("m");
  ASSERT_TRUE(control_.WaitForRunning(2));
  clock_.Advance(3s);
  control_.Release();
  EXPECT_TRUE(Get(first).ok());
  EXPECT_TRUE(Get(second).ok());
  const auto numbers = (*manager().Statistics("m", "1"))[0];
  EXPECT_EQ(numbers.stats->compute_ns.value(), 6'000'000'000u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(numbers.stats->instances[i].executions.value(), 1u);
    EXPECT_EQ(numbers.stats->instances[i].compute_ns.value(), 3'000'000'000u);
  }
  EXPECT_LT(numbers.stats->compute_cpu_ns.value(), 2'000'000'000u) << "they waited, and computed nothing";
  ASSERT_TRUE(Load("m").ok());
  EXPECT_TRUE(control_.WaitForModels(1));
  EXPECT_EQ(numbers.stats->held_bytes_peak.load(), 2000u) << "two copies while one replaced the other";
  while (numbers.stats->held_bytes.load() != 1000u) std::this_thread::yield();
}

TEST_F(ManagerTest, TheSlowestSayWhereTheirTimeWent) {
  AddVersion("m", 1, "parser: pair\n");
  ASSERT_TRUE(Load("m").ok());
  control_.Hold();
  auto running = Infer("m");
  ASSERT_TRUE(control_.WaitForRunning(1));
  clock_.Advance(1s);
  auto waiting = Infer("m");
  clock_.Advance(2s);
  control_.Release();
  EXPECT_TRUE(Get(running).ok());
  EXPECT_TRUE(Get(waiting).ok());
  auto predicted = Predict("m", "1 2");
  EXPECT_TRUE(Get(predicted).ok());
  const std::vector<SlowRequest> slowest = manager().Slowest();
  ASSERT_EQ(slowest.size(), 3u);
  EXPECT_EQ(slowest[0].total, 3s);
  EXPECT_EQ(slowest[0].compute, 3s);
  EXPECT_EQ(slowest[0].queue, 0s);
  EXPECT_EQ(slowest[1].total, 2s);
  EXPECT_EQ(slowest[1].queue, 2s);
  EXPECT_EQ(slowest[1].compute, 0s);
  EXPECT_EQ(slowest[2].model, "m");
}

TEST_F(ManagerTest, EqualRequestsUnderWayAreExecutedOnce) {
  AddVersion("m", 1, "cache: on\nparser: pair\n");
  ASSERT_TRUE(Load("m").ok());
  const int warm = control_.executions();
  control_.Hold();
  auto first = Infer("m");
  ASSERT_TRUE(control_.WaitForRunning(1));
  auto second = Infer("m"), hurried = Infer("m", clock_.Now() + 1s);
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  auto given_up = Infer("m", TimePoint::max(), cancelled);
  *cancelled = true;
  EXPECT_EQ(Get(given_up).status().code(), Code::kCancelled);
  clock_.Advance(2s);
  auto late = Get(hurried);
  EXPECT_EQ(late.status().code(), Code::kDeadlineExceeded);
  EXPECT_THAT(late.status().text(), HasSubstr("after 2.000 s of waiting for an equal request's answer"));
  control_.Release();
  EXPECT_TRUE(Get(first).ok());
  auto answer = Get(second);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(static_cast<const float*>(answer->outputs[0].buffer.data())[1], 2.0f);
  EXPECT_EQ(control_.executions(), warm + 1);
  const auto numbers = (*manager().Statistics("m", "1"))[0];
  EXPECT_EQ(numbers.stats->cache_joined.value(), 1u);
  EXPECT_EQ(numbers.stats->in_flight.load(), 0);

  control_.Hold();
  auto payload = Predict("m", "5 6");
  ASSERT_TRUE(control_.WaitForRunning(1));
  auto same = Predict("m", "5 6");
  control_.Release();
  EXPECT_EQ(Get(payload)->payload, "5 6");
  EXPECT_EQ(Get(same)->payload, "5 6");
  EXPECT_EQ(control_.executions(), warm + 2);
}

TEST_F(ManagerTest, AFailureIsNotSharedWithEqualRequests) {
  AddVersion("m", 1, "cache: on\n");
  ASSERT_TRUE(Load("m").ok());
  control_.Hold();
  auto first = Infer("m");
  ASSERT_TRUE(control_.WaitForRunning(1));
  auto second = Infer("m"), third = Infer("m");
  control_.FailExecutions(1, Internal("once"));
  control_.Release();
  EXPECT_FALSE(Get(first).ok());
  EXPECT_TRUE(Get(second).ok());
  EXPECT_TRUE(Get(third).ok());
}

TEST_F(ManagerTest, FailuresAreNotCached) {
  AddVersion("m", 1, "cache: on\n");
  ASSERT_TRUE(Load("m").ok());
  control_.FailExecutions(1, Internal("once"));
  auto bad = Infer("m");
  EXPECT_FALSE(Get(bad).ok());
  auto good = Infer("m");
  EXPECT_TRUE(Get(good).ok());
}

TEST_F(ManagerTest, DeadlinePassesWhileWaiting) {
  AddVersion("m", 1);
  ASSERT_TRUE(Load("m").ok());
  control_.Hold();
  auto running = Infer("m");
  ASSERT_TRUE(control_.WaitForRunning(1));
  auto waiting = Infer("m", clock_.Now() + 10ms);
  clock_.Advance(10ms);
  EXPECT_EQ(Get(waiting).status().code(), Code::kDeadlineExceeded) << "the instance is still busy";
  control_.Release();
  EXPECT_TRUE(Get(running).ok());
  EXPECT_EQ(control_.executions(), 2) << "the expired request never ran";
}

TEST_F(ManagerTest, CancelledWhileWaiting) {
  AddVersion("m", 1);
  ASSERT_TRUE(Load("m").ok());
  control_.Hold();
  auto running = Infer("m");
  ASSERT_TRUE(control_.WaitForRunning(1));
  auto flag = std::make_shared<std::atomic<bool>>(false);
  auto waiting = Infer("m", TimePoint::max(), flag);
  *flag = true;
  EXPECT_EQ(Get(waiting).status().code(), Code::kCancelled);
  control_.Release();
  EXPECT_TRUE(Get(running).ok());
}

TEST_F(ManagerTest, UnloadDrainsWhatIsInFlight) {
  AddVersion("m", 1);
  ASSERT_TRUE(Load("m").ok());
  control_.Hold();
  auto running = Infer("m");
  auto waiting = Infer("m");
  ASSERT_TRUE(control_.WaitForRunning(1));
  std::promise<Status> begun;
  auto begun_future = begun.get_future();
  manager().Unload("m", "", false, [&](Status status) { begun.set_value(std::move(status)); });
  EXPECT_TRUE(Get(begun_future).ok());
  EXPECT_EQ(StatusOf("m", 1).state, State::kUnloading);
  auto late = Infer("m");
  EXPECT_EQ(Get(late).status().code(), Code::kUnavailable);
  control_.Release();
  EXPECT_TRUE(Get(running).ok());
  EXPECT_TRUE(Get(waiting).ok());
  EXPECT_TRUE(control_.WaitForModels(0));
  EXPECT_EQ(Unload("nope").code(), Code::kNotFound);
}

TEST_F(ManagerTest, ReloadServesWithTheOldCopyUntilTheNewOneIsWarm) {
  AddVersion("m", 1);
  ASSERT_TRUE(Load("m").ok());
  control_.HoldLoads(true);
  std::promise<Status> outcome;
  auto loaded = outcome.get_future();
  manager().Load("m", "1", true, [&](Status status) { outcome.set_value(std::move(status)); });
  auto during = Infer("m");
  EXPECT_TRUE(Get(during).ok());
  EXPECT_EQ(StatusOf("m", 1).state, State::kReady);
  control_.HoldLoads(false);
  EXPECT_TRUE(Get(loaded).ok());
  EXPECT_TRUE(control_.WaitForModels(1)) << "the old copy goes";

  control_.FailLoads(InvalidArgument("bad file"));
  EXPECT_EQ(Load("m", "1").code(), Code::kInvalidArgument);
  EXPECT_THAT(StatusOf("m", 1).reason, HasSubstr("the copy before serves on"));
  auto after = Infer("m");
  EXPECT_TRUE(Get(after).ok());
}

TEST_F(ManagerTest, PolicyChoosesWhatALoadWithoutVersionLoads) {
  AddVersion("m", 1);
  AddVersion("m", 2);
  AddVersion("m", 3, "versions: latest\nlabels: {stable: 1}\n");
  ASSERT_TRUE(Load("m").ok());
  EXPECT_THAT(manager().Describe("m", "")->versions, testing::ElementsAre(1, 3));
  EXPECT_TRUE(Load("m", "2").ok()) << "a version that is asked for is loaded";
  AddVersion("m", 4);
  ASSERT_TRUE(Load("m").ok());
  EXPECT_TRUE(control_.WaitForModels(2)) << "1 and 4";
  EXPECT_THAT(manager().Describe("m", "")->versions, testing::ElementsAre(1, 4));
}

TEST_F(ManagerTest, AvailableKeepsTheOldVersionWhenTheNewOneFails) {
  AddVersion("m", 1, "versions: latest\n");
  ASSERT_TRUE(Load("m").ok());
  AddVersion("m", 2);
  control_.FailLoads(InvalidArgument("bad file"));
  std::promise<Status> outcome;
  auto future = outcome.get_future();
  manager().Align(*repository::ReadModel(root_, "m"), {},
                  [&](Status status) { outcome.set_value(std::move(status)); });
  EXPECT_EQ(Get(future).code(), Code::kInvalidArgument);
  EXPECT_EQ(StatusOf("m", 1).state, State::kReady);
  EXPECT_EQ(StatusOf("m", 2).state, State::kUnavailable);
  auto answered = Infer("m");
  EXPECT_EQ(Get(answered)->version, 1);
}

TEST_F(ManagerTest, FrugalNeverHoldsBothCopies) {
  AddVersion("m", 1, "versions: latest\nswap: frugal\n");
  ASSERT_TRUE(Load("m").ok());
  AddVersion("m", 2);
  control_.HoldLoads(true);
  std::promise<Status> outcome;
  auto future = outcome.get_future();
  manager().Load("m", "", true, [&](Status status) { outcome.set_value(std::move(status)); });
  EXPECT_TRUE(control_.WaitForModels(0)) << "the old version goes before the new one is loaded";
  auto meanwhile = Infer("m");
  EXPECT_EQ(Get(meanwhile).status().code(), Code::kUnavailable);
  control_.HoldLoads(false);
  EXPECT_TRUE(Get(future).ok());
  control_.HoldLoads(true);
  manager().Load("m", "2", false, [](const Status&) {});
  EXPECT_TRUE(control_.WaitForModels(0)) << "a reload too";
  control_.HoldLoads(false);
}

TEST_F(ManagerTest, LoadsAreTriedAgainWhereItMayHelp) {
  load_retries_max_ = 2;
  AddVersion("m", 1);
  control_.FailLoads(Unavailable("the server elsewhere is starting"), 2);
  EXPECT_TRUE(Load("m").ok());
  EXPECT_EQ(control_.loads(), 3);
  control_.FailLoads(Unavailable("the server elsewhere is gone"));
  EXPECT_EQ(Unload("m").code(), Code::kOk);
  EXPECT_EQ(Load("m").code(), Code::kUnavailable);
  EXPECT_EQ(control_.loads(), 6);
  control_.FailLoads(InvalidArgument("bad file"));
  EXPECT_EQ(Load("m").code(), Code::kInvalidArgument);
  EXPECT_EQ(control_.loads(), 7) << "files do not mend themselves";
}

TEST_F(ManagerTest, FilesThatChangeWhileTheyAreLoadedAreLoadedAgain) {
  load_retries_max_ = 1;
  AddVersion("m", 1);
  control_.OnLoad([this] {
    if (control_.loads() == 1) std::ofstream(root_ + "/m/1/weights") << "the second half";
  });
  EXPECT_TRUE(Load("m").ok());
  EXPECT_EQ(control_.loads(), 2) << "what was loaded first is half";
}

TEST_F(ManagerTest, UnloadOvertakesALoad) {
  AddVersion("m", 1);
  control_.HoldLoads(true);
  std::promise<Status> outcome;
  auto loading = outcome.get_future();
  manager().Load("m", "1", true, [&](Status status) { outcome.set_value(std::move(status)); });
  while (StatusOf("m", 1).state != State::kLoading) std::this_thread::yield();
  EXPECT_TRUE(Unload("m").ok());
  control_.HoldLoads(false);
  EXPECT_EQ(Get(loading).code(), Code::kAborted);
  EXPECT_TRUE(manager().Index().empty());
}

TEST_F(ManagerTest, DeadEngineProcessIsTriedOnceMore) {
  AddVersion("m", 1);
  control_.SetProcess(100);
  ASSERT_TRUE(Load("m").ok());
  control_.FailExecutions(1, Unavailable("the process died"));
  auto once = Infer("m");
  EXPECT_TRUE(Get(once).ok());
  control_.FailExecutions(2, Unavailable("the process died"));
  auto twice = Infer("m");
  EXPECT_EQ(Get(twice).status().code(), Code::kUnavailable)
      << "a request that kills processes is not tried for ever";
  control_.FailExecutions(1, Unavailable("a server behind is gone"), /*process_dies=*/false);
  auto lives = Infer("m");
  EXPECT_EQ(Get(lives).status().text(), "a server behind is gone") << "no other process is waited for";
  EXPECT_EQ((*manager().Statistics("m", ""))[0].stats->retries.value(), 2u);
}

TEST_F(ManagerTest, CountsAndMetrics) {
  AddVersion("m", 1);
  ASSERT_TRUE(Load("m").ok());
  auto good = Infer("m");
  EXPECT_TRUE(Get(good).ok());
  InferRequest wrong;
  wrong.model = "m";
  wrong.arrival = clock_.Now();
  std::promise<Status> outcome;
  auto future = outcome.get_future();
  manager().Infer(std::move(wrong), [&](auto result) { outcome.set_value(result.status()); });
  EXPECT_EQ(Get(future).code(), Code::kInvalidArgument);
  auto stranger = Infer("nope");
  EXPECT_EQ(Get(stranger).status().code(), Code::kNotFound);
  MetricsText text;
  manager().WriteMetrics(text);
  const std::string page = text.Take();
  for (const char* line :
       {"snug_requests_total{model=\"m\",version=\"1\",code=\"OK\"} 1\n",
        "snug_requests_total{model=\"m\",version=\"1\",code=\"INVALID_ARGUMENT\"} 1\n",
        "snug_rejected_requests_total{code=\"NOT_FOUND\"} 1\n",
        "snug_model_memory_bytes{model=\"m\",version=\"1\"} 1000\n",
        "snug_model_threads{model=\"m\",version=\"1\"} 1\n", "snug_inflight{model=\"m\",version=\"1\"} 0\n",
        "snug_queue_depth{model=\"m\",version=\"1\"} 0\n"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

TEST_F(ManagerTest, EndsWithRequestsInFlight) {
  AddVersion("m", 1);
  ASSERT_TRUE(Load("m").ok());
  control_.Hold();
  auto running = Infer("m");
  auto waiting = Infer("m");
  ASSERT_TRUE(control_.WaitForRunning(1));
  control_.Release();
  manager_.reset();
  EXPECT_TRUE(Get(running).ok());
  EXPECT_TRUE(Get(waiting).ok());
}

}  // namespace
}  // namespace snug::serving
