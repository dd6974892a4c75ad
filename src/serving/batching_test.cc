// Batches through the real queue, threads and manager.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <future>

#include "os/files.h"
#include "serving/model_manager.h"
#include "serving/testing/fakes.h"

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

using Answer = std::future<Result<InferResponse>>;

class BatchingTest : public testing::Test {
 protected:
  BatchingTest() {
    std::string pattern = testing::TempDir() + "snug_batching_XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~BatchingTest() override {
    control_.Release();
    manager_.reset();
    EXPECT_TRUE(os::RemoveTree(root_).ok());
  }

  void Load(const std::string& batching) {
    Status status = LoadStatus(batching);
    ASSERT_TRUE(status.ok()) << status.ToString();
    warmed_ = control_.executions();
  }
  Status LoadStatus(const std::string& batching) {
    EXPECT_TRUE(os::MakeDirs(root_ + "/m/1").ok());
    std::ofstream(root_ + "/m/model.yaml") << "parser: pair\nqueue_limit: 8\nbatching: " << batching;
    ManagerOptions options;
    options.root = root_;
    options.clock = &clock_;
    options.measure_batching = false;
    options.gate = &gate_;
    manager_ = std::make_unique<ModelManager>(options, engines_, parsers_);
    std::promise<Status> loaded;
    manager_->Load("m", "", true, [&](Status status) { loaded.set_value(std::move(status)); });
    return loaded.get_future().get();
  }
  int Executions() const { return control_.executions() - warmed_; }

  // Rows [first, first], [first + 1, first + 1] and so on.
  Answer Infer(float first, int64_t rows = 1, std::vector<std::string> outputs = {}, int priority = 0,
               TimePoint deadline = TimePoint::max()) {
    std::vector<float> values;
    for (int64_t row = 0; row < rows; ++row) values.insert(values.end(), 2, first + static_cast<float>(row));
    InferRequest request;
    request.model = "m";
    request.arrival = clock_.Now();
    request.deadline = deadline;
    request.priority = priority;
    request.outputs = std::move(outputs);
    request.inputs = {Floats("x", {rows, 2}, values)};
    auto outcome = std::make_shared<std::promise<Result<InferResponse>>>();
    manager_->Infer(std::move(request), [outcome](auto result) { outcome->set_value(std::move(result)); });
    return outcome->get_future();
  }
  // A row of so many columns, all of this value.
  Answer InferColumns(float value, int64_t columns) {
    InferRequest request;
    request.model = "m";
    request.arrival = clock_.Now();
    request.inputs = {Floats("x", {1, columns}, std::vector<float>(static_cast<size_t>(columns), value))};
    auto outcome = std::make_shared<std::promise<Result<InferResponse>>>();
    manager_->Infer(std::move(request), [outcome](auto result) { outcome->set_value(std::move(result)); });
    return outcome->get_future();
  }
  // One request is inside the engine; those that come now wait.
  Answer Occupy() {
    control_.Hold();
    Answer first = Infer(100);
    EXPECT_TRUE(control_.WaitForRunning(1));
    return first;
  }
  static std::vector<float> Values(Answer& answer, size_t output = 0) {
    EXPECT_EQ(answer.wait_for(30s), std::future_status::ready);
    Result<InferResponse> result = answer.get();
    if (!result.ok()) {
      ADD_FAILURE() << result.status().ToString();
      return {};
    }
    const Tensor& tensor = result->outputs[output];
    EXPECT_EQ(tensor.shape[0] * tensor.shape[1], static_cast<int64_t>(tensor.buffer.size() / sizeof(float)));
    return serving::Values(tensor);
  }
  static Status StatusOf(Answer& answer) {
    EXPECT_EQ(answer.wait_for(30s), std::future_status::ready);
    return answer.get().status();
  }
  std::string Metrics() const {
    MetricsText text;
    manager_->WriteMetrics(text);
    return text.Take();
  }

  std::string root_;
  ManualClock clock_;
  FakeControl control_;
  ComputeGate gate_{1, 0, clock_};
  FakeEngineHost engines_{control_};
  FakeParserHost parsers_;
  std::unique_ptr<ModelManager> manager_;
  int warmed_ = 0;
};

TEST_F(BatchingTest, WhatWaitsIsExecutedTogetherAndEachGetsItsOwn) {
  Load("{rows_max: 4}");
  Answer first = Occupy();
  Answer a = Infer(1), b = Infer(2, 2), c = Infer(4), d = Infer(5);
  control_.Release();
  EXPECT_THAT(Values(first), ElementsAre(100, 100));
  EXPECT_THAT(Values(a), ElementsAre(1, 1));
  EXPECT_THAT(Values(b), ElementsAre(2, 2, 3, 3));
  EXPECT_THAT(Values(c), ElementsAre(4, 4));
  EXPECT_THAT(Values(d), ElementsAre(5, 5));
  EXPECT_EQ(Executions(), 3);
  EXPECT_THAT(Metrics(), HasSubstr("snug_batches_total{model=\"m\",version=\"1\",rows=\"4\"} 1"));
}

TEST_F(BatchingTest, EachGetsTheOutputsItWants) {
  Load("{rows_max: 4}");
  Answer first = Occupy();
  Answer a = Infer(1, 1, {"z"}), b = Infer(2, 1, {"z", "y"});
  control_.Release();
  EXPECT_THAT(Values(first), ElementsAre(100, 100));
  Result<InferResponse> one = a.get(), two = b.get();
  ASSERT_TRUE(one.ok() && two.ok());
  ASSERT_EQ(one->outputs.size(), 1U);
  EXPECT_EQ(one->outputs[0].name, "z");
  ASSERT_EQ(two->outputs.size(), 2U);
  EXPECT_EQ(two->outputs[0].name, "z");
  EXPECT_EQ(two->outputs[1].name, "y");
  EXPECT_EQ(Executions(), 2);
}

TEST_F(BatchingTest, ALargeRequestIsSplitAndJoinedAgain) {
  Load("{rows_max: 2}");
  Answer large = Infer(1, 5);
  EXPECT_THAT(Values(large), ElementsAre(1, 1, 2, 2, 3, 3, 4, 4, 5, 5));
  EXPECT_EQ(Executions(), 3);
}

TEST_F(BatchingTest, PaddingIsSeenByNobody) {
  Load("{sizes: [1, 4]}");
  Answer first = Occupy();
  Answer a = Infer(1), b = Infer(2), c = Infer(3);
  control_.Release();
  EXPECT_THAT(Values(a), ElementsAre(1, 1));
  EXPECT_THAT(Values(b), ElementsAre(2, 2));
  EXPECT_THAT(Values(c), ElementsAre(3, 3));
  EXPECT_EQ(Executions(), 2);
  EXPECT_THAT(Metrics(), HasSubstr("snug_padding_rows_total{model=\"m\",version=\"1\"} 1"));
}

TEST_F(BatchingTest, ABadMemberDoesNotFailTheOthers) {
  Load("{rows_max: 4}");
  Answer first = Occupy();
  Answer a = Infer(1), b = Infer(2), c = Infer(3);
  // The first alone, the batch, and the first of the batch alone.
  control_.FailExecutions(3, InvalidArgument("no such word"));
  control_.Release();
  EXPECT_EQ(StatusOf(first).code(), Code::kInvalidArgument);
  EXPECT_EQ(StatusOf(a).text(), "no such word");
  EXPECT_THAT(Values(b), ElementsAre(2, 2));
  EXPECT_THAT(Values(c), ElementsAre(3, 3));
  EXPECT_THAT(Metrics(), HasSubstr("snug_batches_split_total{model=\"m\",version=\"1\"} 1"));
}

TEST_F(BatchingTest, AnExpiredRequestIsAnsweredWhileTheInstanceIsBusy) {
  Load("{rows_max: 4}");
  Answer first = Occupy();
  Answer late = Infer(1, 1, {}, 0, clock_.Now() + 10ms);
  Answer patient = Infer(2);
  clock_.Advance(20ms);
  Status status = StatusOf(late);
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_THAT(status.text(), HasSubstr("0.020 s of waiting"));
  control_.Release();
  EXPECT_THAT(Values(patient), ElementsAre(2, 2));
}

TEST_F(BatchingTest, PrioritiesHaveQueuesOfTheirOwn) {
  Load("{mode: off, priorities: [{}, {queue_limit: 1}], default_priority: 2}");
  Answer first = Occupy();
  Answer low = Infer(1), refused = Infer(2), high = Infer(3, 1, {}, 1);
  Status status = StatusOf(refused);
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.text(), HasSubstr("batching.priorities in model.yaml"));
  control_.Release();
  EXPECT_THAT(Values(low), ElementsAre(1, 1));
  EXPECT_THAT(Values(high), ElementsAre(3, 3));
}

TEST_F(BatchingTest, ALoneRequestIsABatchToo) {
  Load("{rows_max: 4}");
  Answer one = Infer(1);
  EXPECT_THAT(Values(one), ElementsAre(1, 1));
  EXPECT_THAT(Metrics(), HasSubstr("snug_batches_total{model=\"m\",version=\"1\",rows=\"1\"} 1"));
}

TEST_F(BatchingTest, ALoneRequestIsPaddedToAnAllowedSize) {
  Load("{sizes: [2, 4]}");
  Answer one = Infer(1);
  EXPECT_THAT(Values(one), ElementsAre(1, 1));
  EXPECT_THAT(Metrics(), HasSubstr("snug_padding_rows_total{model=\"m\",version=\"1\"} 1"));
}

TEST_F(BatchingTest, ALoneRequestThatWaitsExpires) {
  Load("{rows_max: 4}");
  Answer first = Occupy();
  Answer late = Infer(1, 1, {}, 0, clock_.Now() + 10ms);
  clock_.Advance(20ms);
  EXPECT_EQ(StatusOf(late).code(), Code::kDeadlineExceeded);
  control_.Release();
  EXPECT_TRUE(StatusOf(first).ok());
}

TEST_F(BatchingTest, TheQueueLimitHolds) {
  Load("{rows_max: 4}");
  Answer first = Occupy();
  std::vector<Answer> waiting;
  waiting.reserve(8);
  for (int i = 0; i < 8; ++i) waiting.push_back(Infer(static_cast<float>(i)));
  Answer refused = Infer(9);
  EXPECT_THAT(StatusOf(refused).text(), HasSubstr("queue_limit 8"));
  control_.Release();
  for (Answer& answer : waiting) EXPECT_TRUE(StatusOf(answer).ok());
}

TEST_F(BatchingTest, UnloadingAnswersWhatWaits) {
  Load("{rows_max: 4}");
  Answer first = Occupy();
  Answer a = Infer(1), b = Infer(2, 9);
  std::promise<Status> unloaded;
  manager_->Unload("m", "", true, [&](Status status) { unloaded.set_value(std::move(status)); });
  control_.Release();
  EXPECT_TRUE(unloaded.get_future().get().ok());
  EXPECT_TRUE(StatusOf(first).ok());
  EXPECT_TRUE(StatusOf(a).ok());
  EXPECT_EQ(Values(b).size(), 18U);
}

TEST_F(BatchingTest, PayloadsAreBatchedToo) {
  Load("{rows_max: 4}");
  Answer first = Occupy();
  std::vector<std::future<Result<PredictResponse>>> answers;
  for (const char* payload : {"1 2", "3 4"}) {
    auto outcome = std::make_shared<std::promise<Result<PredictResponse>>>();
    answers.push_back(outcome->get_future());
    PredictRequest request;
    request.model = "m";
    request.arrival = clock_.Now();
    request.payload = payload;
    manager_->Predict(std::move(request), [outcome](auto result) { outcome->set_value(std::move(result)); });
  }
  while (manager_->Statistics("m", "")->front().queue_depth < 2) std::this_thread::yield();
  control_.Release();
  EXPECT_EQ(answers[0].get()->payload, "1 2");
  EXPECT_EQ(answers[1].get()->payload, "3 4");
}

// Columns are free; y is cut back, z is not.
engine::ModelInfo FreeColumns() {
  engine::ModelInfo info = FakeInfo();
  info.inputs[0].shape = info.outputs[0].shape = info.outputs[1].shape = {-1, -1};
  return info;
}

constexpr const char* kPadded =
    "{rows_max: 4, padding: [{buckets: [2, 4], inputs: [{name: x, dim: 1, value: 9}], "
    "outputs: [{name: y, dim: 1}]}]}";

TEST_F(BatchingTest, RequestsOfABucketAreExecutedTogether) {
  engines_.info = FreeColumns();
  Load(kPadded);
  Answer first = Occupy();
  Answer a = InferColumns(1, 3), b = InferColumns(2, 4), c = InferColumns(3, 1);
  control_.Release();
  EXPECT_THAT(Values(first), ElementsAre(100, 100));
  Result<InferResponse> answer = a.get();
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->outputs[0].shape, (Shape{1, 3}));
  EXPECT_THAT(serving::Values(answer->outputs[0]), ElementsAre(1, 1, 1));
  EXPECT_THAT(serving::Values(answer->outputs[1]), ElementsAre(1, 1, 1, 9)) << "it does not follow";
  EXPECT_THAT(Values(b), ElementsAre(2, 2, 2, 2));
  EXPECT_THAT(Values(c), ElementsAre(3));
  EXPECT_EQ(Executions(), 3) << "the first, those of 4 columns, that of 2";
  EXPECT_THAT(Metrics(), HasSubstr("snug_padding_bytes_total{model=\"m\",version=\"1\"} 8"));
}

TEST_F(BatchingTest, ALoneRequestIsPaddedAsInCompany) {
  engines_.info = FreeColumns();
  Load(kPadded);
  Answer lone = InferColumns(1, 3);
  Result<InferResponse> answer = lone.get();
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_THAT(serving::Values(answer->outputs[0]), ElementsAre(1, 1, 1));
  EXPECT_THAT(serving::Values(answer->outputs[1]), ElementsAre(1, 1, 1, 9));
}

TEST_F(BatchingTest, WithoutPaddingOnlyEqualShapesJoin) {
  engines_.info = FreeColumns();
  Load("{rows_max: 4}");
  Answer first = Occupy();
  Answer a = InferColumns(1, 3), b = InferColumns(2, 4), c = InferColumns(3, 3);
  control_.Release();
  EXPECT_THAT(Values(a), ElementsAre(1, 1, 1));
  EXPECT_THAT(Values(b), ElementsAre(2, 2, 2, 2));
  EXPECT_THAT(Values(c), ElementsAre(3, 3, 3));
  EXPECT_EQ(Executions(), 3);
}

TEST_F(BatchingTest, WhatIsLongerThanTheLargestBucketIsRefused) {
  engines_.info = FreeColumns();
  Load(kPadded);
  Answer refused = InferColumns(1, 5);
  const Status status = StatusOf(refused);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.text(), HasSubstr("input \"x\" has 5 at dimension 1; at most 4 is taken"));
}

TEST_F(BatchingTest, PaddingDoesNotNeedBatches) {
  engines_.info = FreeColumns();
  engines_.info.inputs[0].shape[0] = engines_.info.outputs[0].shape[0] = 3;
  engines_.info.batch_is_free = false;
  Load(
      "{mode: off, padding: [{buckets: [4], inputs: [{name: x, dim: 1, value: 9}], outputs: [{name: y, dim: "
      "1}]}]}");
  EXPECT_EQ(Executions(), 0);
  Answer answer = Infer(1, 3);
  EXPECT_THAT(Values(answer), ElementsAre(1, 1, 2, 2, 3, 3));
  EXPECT_EQ(manager_->Index()[0].batching, "padded to 4");
}

TEST_F(BatchingTest, ABadMemberOfABucketDoesNotFailTheOthers) {
  engines_.info = FreeColumns();
  Load(kPadded);
  Answer first = Occupy();
  Answer a = InferColumns(1, 3), b = InferColumns(2, 4);
  control_.FailExecutions(3, InvalidArgument("no such word"));
  control_.Release();
  EXPECT_FALSE(StatusOf(first).ok());
  EXPECT_FALSE(StatusOf(a).ok());
  EXPECT_THAT(Values(b), ElementsAre(2, 2, 2, 2));
}

TEST_F(BatchingTest, PaddingThatDoesNotFitTheModelIsAnErrorOfTheLoad) {
  EXPECT_THAT(LoadStatus("{padding: [{buckets: [2], inputs: [{name: x, dim: 1, value: 0}]}]}").text(),
              HasSubstr("batching.padding: dimension 1 of input x FP32 [-1,2] is not free"));
}

// Nothing is joined or cut where batches are off: a first dimension may be anything then.
TEST_F(BatchingTest, PrioritiesWithoutBatchesLeaveRequestsWhole) {
  engines_.info.inputs[0].shape[0] = 3;
  engines_.info.batch_is_free = false;
  Load("{mode: off, priorities: [{}, {}]}");
  control_.Hold();
  Answer first = Infer(1, 3);
  ASSERT_TRUE(control_.WaitForRunning(1));
  Answer low = Infer(4, 3, {}, 2), high = Infer(7, 3);
  control_.Release();
  EXPECT_THAT(Values(first), ElementsAre(1, 1, 2, 2, 3, 3));
  EXPECT_THAT(Values(low), ElementsAre(4, 4, 5, 5, 6, 6));
  EXPECT_THAT(Values(high), ElementsAre(7, 7, 8, 8, 9, 9));
  EXPECT_EQ(Executions(), 3);
}

TEST_F(BatchingTest, WhatWaitsForTheCpuExpiresAndGrows) {
  engines_.info.only_computes = true;
  Load("{rows_max: 4}");
  ComputeGate::Member other(gate_, 1, 1, 1);
  ComputeGate::Pass busy = other.TryEnter();
  ASSERT_TRUE(busy);
  Answer late = Infer(1, 1, {}, 0, clock_.Now() + 10ms);
  Answer a = Infer(2), b = Infer(3);
  clock_.Advance(20ms);
  EXPECT_EQ(StatusOf(late).code(), Code::kDeadlineExceeded);
  busy.End();
  EXPECT_THAT(Values(a), ElementsAre(2, 2));
  EXPECT_THAT(Values(b), ElementsAre(3, 3));
  EXPECT_EQ(Executions(), 1);
}

TEST_F(BatchingTest, TheStatusTells) {
  Load("{rows_max: 4}");
  EXPECT_EQ(manager_->Index()[0].batching, "batches of up to 4 rows");
}

}  // namespace
}  // namespace snug::serving
