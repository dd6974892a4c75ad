// Whole pipelines on a ModelManager: loading, executing, what a step's failure, a deadline and an unload do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <thread>

#include "base/metrics.h"
#include "repository/test_dir.h"
#include "serving/model_manager.h"
#include "serving/testing/fakes.h"

namespace snug::serving {
namespace {

using testing::HasSubstr;

// Both models' y is their x; the second one gets a row at a time.
const char* kTwoSteps = R"(
queue_limit: 4
pipeline:
  inputs: [numbers]
  outputs: [result]
  steps:
    - {name: first, model: a, inputs: {x: numbers}, outputs: {y: rows}}
    - {name: second, model: b, for_each: [rows], items_max: 8, inputs: {x: rows}, outputs: {y: result}}
)";

class PipelineModelsTest : public testing::Test {
 protected:
  PipelineModelsTest() {
    engines_.control_of = [this](const engine::LoadRequest& request) -> FakeControl& {
      return request.directory.ends_with("b/1") ? second_ : control_;
    };
    options_.root = dir_.path();
    options_.load_threads = 2;
    options_.measure_batching = false;
    manager_ = std::make_unique<ModelManager>(options_, engines_, parsers_);
  }

  void WriteOwn() {
    dir_.Write("page/model.yaml", kTwoSteps);
    dir_.Write("page/1/steps/a/1/model");
    dir_.Write("page/1/steps/b/1/model");
    dir_.Write("page/1/steps/b/model.yaml", "batching: {sizes: [1, 2, 4, 8]}\n");
  }
  Status Load(const std::string& model) {
    std::promise<Status> done;
    manager_->Load(model, "", true, [&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  std::future<Result<InferResponse>> Infer(int64_t rows, std::vector<std::string> outputs = {},
                                           TimePoint deadline = TimePoint::max(),
                                           CancelFlag cancelled = nullptr) {
    InferRequest request;
    request.model = "page";
    request.arrival = SystemClock().Now();
    request.deadline = deadline;
    request.cancelled = std::move(cancelled);
    std::vector<float> values(static_cast<size_t>(2 * rows));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    request.inputs = {Floats("numbers", {rows, 2}, values)};
    request.outputs = std::move(outputs);
    auto answer = std::make_shared<std::promise<Result<InferResponse>>>();
    auto future = answer->get_future();
    manager_->Infer(std::move(request),
                    [answer](Result<InferResponse> r) { answer->set_value(std::move(r)); });
    return future;
  }
  size_t QueueDepth(const std::string& model) {
    const auto all = manager_->Statistics("", "");
    for (const auto& numbers : *all) {
      if (numbers.name == model) return numbers.queue_depth;
    }
    return 0;
  }
  template <typename Condition>
  void WaitUntil(Condition condition) {
    while (!condition()) std::this_thread::yield();
  }
  std::string Metrics() {
    MetricsText text;
    manager_->WriteMetrics(text);
    return text.Take();
  }

  repository::TestDir dir_;
  FakeControl control_, second_;  // of model b
  FakeEngineHost engines_{control_};
  FakeParserHost parsers_;
  ManagerOptions options_;
  std::unique_ptr<ModelManager> manager_;
};

TEST_F(PipelineModelsTest, ItsOwnModelsAreLoadedAndUnloadedWithIt) {
  WriteOwn();
  ASSERT_TRUE(Load("page").ok());
  EXPECT_EQ(control_.models() + second_.models(), 2);
  auto description = manager_->Describe("page", "");
  ASSERT_TRUE(description.ok());
  EXPECT_EQ(description->info.inputs, (std::vector<TensorSpec>{{"numbers", DType::kFp32, {-1, 2}}}));
  EXPECT_EQ(description->info.outputs, (std::vector<TensorSpec>{{"result", DType::kFp32, {-1, 2}}}));
  EXPECT_EQ(description->config.engine, "pipeline");
  EXPECT_EQ(description->info.memory_bytes, 2000u) << "of both";
  EXPECT_EQ(manager_->Index().size(), 1u) << "its own models are nobody else's";
  EXPECT_EQ(manager_->Ready("a", "").code(), Code::kNotFound);
  std::promise<Status> done;
  manager_->Unload("page", "", true, [&](Status status) { done.set_value(std::move(status)); });
  EXPECT_TRUE(done.get_future().get().ok());
  EXPECT_EQ(control_.models() + second_.models(), 0);
}

TEST_F(PipelineModelsTest, AnswersWithTheRowsInOrder) {
  WriteOwn();
  ASSERT_TRUE(Load("page").ok());
  auto response = Infer(5).get();
  ASSERT_TRUE(response.ok()) << response.status().ToString();
  EXPECT_EQ(response->model, "page");
  const Tensor& result = response->outputs[0];
  EXPECT_EQ(result.name, "result");
  EXPECT_EQ(result.shape, (Shape{5, 2}));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(static_cast<const float*>(result.buffer.data())[i], i);
  EXPECT_THAT(
      Metrics(),
      HasSubstr("snug_pipeline_step_executions_total{model=\"page\",version=\"1\",step=\"second\"} 5"));
  EXPECT_THAT(Metrics(),
              HasSubstr("snug_pipeline_step_seconds_count{model=\"page\",version=\"1\",step=\"first\"} 1"));
  EXPECT_THAT(Metrics(), HasSubstr("snug_executions_total{model=\"page/1/a\",version=\"1\"}"));
}

TEST_F(PipelineModelsTest, RowsOfDifferentRequestsAreExecutedTogether) {
  WriteOwn();
  ASSERT_TRUE(Load("page").ok());
  second_.Hold();
  auto busy = Infer(1);
  ASSERT_TRUE(second_.WaitForRunning(1));
  const int before = second_.executions();
  auto one = Infer(1), two = Infer(1), three = Infer(2);
  WaitUntil([&] { return QueueDepth("page/1/b") == 4; });
  second_.Release();
  for (auto* answer : {&busy, &one, &two, &three}) EXPECT_TRUE(answer->get().ok());
  EXPECT_EQ(second_.executions(), before + 1);
}

TEST_F(PipelineModelsTest, AFailureNamesTheStep) {
  WriteOwn();
  ASSERT_TRUE(Load("page").ok());
  second_.FailExecutions(1, Error(Code::kUnimplemented, "not today"));
  const Status status = Infer(1).get().status();
  EXPECT_EQ(status.code(), Code::kUnimplemented);
  EXPECT_THAT(status.text(), HasSubstr("pipeline step \"second\", item 1 of 1: not today"));
  EXPECT_THAT(Infer(9).get().status().ToString(),
              HasSubstr("INVALID_ARGUMENT: pipeline step \"second\": 9 items"));
}

TEST_F(PipelineModelsTest, TheDeadlineHoldsInTheQueuesOfTheSteps) {
  WriteOwn();
  ASSERT_TRUE(Load("page").ok());
  second_.Hold();
  auto busy = Infer(1);
  ASSERT_TRUE(second_.WaitForRunning(1));
  const Status late = Infer(1, {}, SystemClock().Now() + std::chrono::milliseconds(20)).get().status();
  EXPECT_EQ(late.code(), Code::kDeadlineExceeded) << late.ToString();
  EXPECT_THAT(late.text(), HasSubstr("pipeline step \"second\""));
  second_.Release();
  EXPECT_TRUE(busy.get().ok());
}

TEST_F(PipelineModelsTest, ACancelledRequestLeavesTheQueuesOfTheSteps) {
  WriteOwn();
  ASSERT_TRUE(Load("page").ok());
  second_.Hold();
  auto busy = Infer(1);
  ASSERT_TRUE(second_.WaitForRunning(1));
  auto flag = std::make_shared<std::atomic<bool>>(false);
  auto given_up = Infer(1, {}, TimePoint::max(), flag);
  WaitUntil([&] { return QueueDepth("page/1/b") == 1; });
  *flag = true;
  EXPECT_EQ(given_up.get().status().code(), Code::kCancelled);
  second_.Release();
  EXPECT_TRUE(busy.get().ok());
}

TEST_F(PipelineModelsTest, TakesPayloadsWithAParser) {
  WriteOwn();
  std::string yaml = kTwoSteps;
  yaml.replace(yaml.find("queue_limit: 4"), 14, "parser: pair");
  dir_.Write("page/model.yaml", yaml);
  ASSERT_TRUE(Load("page").ok());
  PredictRequest request;
  request.model = "page";
  request.payload = "3 4";
  std::promise<Result<PredictResponse>> answer;
  manager_->Predict(std::move(request), [&](Result<PredictResponse> r) { answer.set_value(std::move(r)); });
  auto response = answer.get_future().get();
  ASSERT_TRUE(response.ok()) << response.status().ToString();
  EXPECT_EQ(response->payload, "3 4");
}

TEST_F(PipelineModelsTest, ABrokenModelOfAStepIsNamed) {
  WriteOwn();
  second_.FailLoads(Error(Code::kFailedPrecondition, "no such weights"));
  EXPECT_EQ(Load("page").ToString(), "FAILED_PRECONDITION: the step's model steps/b: no such weights");
  EXPECT_THAT(manager_->Index()[0].reason, HasSubstr("steps/b: no such weights"));
  EXPECT_EQ(control_.models(), 0) << "what was loaded is given back";
}

// a in the version's folder, b beside the pipeline.
class ModelBesideTest : public PipelineModelsTest {
 protected:
  ModelBesideTest() {
    dir_.Write("page/model.yaml", kTwoSteps);
    dir_.Write("page/1/steps/a/1/model");
    dir_.Write("b/1/model");
  }
  Status Unload(const std::string& model) {
    std::promise<Status> done;
    manager_->Unload(model, "", true, [&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  void WaitForState(State state) {
    WaitUntil([&] {
      for (const VersionStatus& status : manager_->Index()) {
        if (status.name == "page") return status.state == state;
      }
      return false;
    });
  }
};

TEST_F(ModelBesideTest, IsLoadedWithThePipeline) {
  ASSERT_TRUE(Load("page").ok());
  EXPECT_TRUE(manager_->Ready("b", "").ok()) << "a model like any other";
  auto response = Infer(3).get();
  ASSERT_TRUE(response.ok()) << response.status().ToString();
  EXPECT_EQ(response->outputs[0].shape, (Shape{3, 2}));
}

TEST_F(ModelBesideTest, APipelineWaitsForIt) {
  options_.load_threads = 1;
  manager_ = std::make_unique<ModelManager>(options_, engines_, parsers_);
  second_.HoldLoads(true);
  std::promise<Status> all;
  manager_->LoadAll([&](Status status) { all.set_value(std::move(status)); });
  WaitUntil([&] { return manager_->Index().size() == 2; });
  EXPECT_EQ(manager_->Ready("page", "").code(), Code::kUnavailable);
  second_.HoldLoads(false);
  EXPECT_TRUE(all.get_future().get().ok());
  EXPECT_TRUE(manager_->Ready("page", "").ok()) << manager_->Ready("page", "").ToString();
}

TEST_F(ModelBesideTest, ThePipelineIsReadyOnlyWhileItIs) {
  ASSERT_TRUE(Load("page").ok());
  ASSERT_TRUE(Unload("b").ok());
  WaitForState(State::kUnavailable);
  EXPECT_THAT(Infer(1).get().status().ToString(), HasSubstr("pipeline step \"second\" (model \"b\")"));
  ASSERT_TRUE(Load("b").ok());
  WaitForState(State::kReady);
  EXPECT_TRUE(Infer(1).get().ok());
}

TEST_F(ModelBesideTest, AnotherShapeOfItIsFoundAtOnce) {
  ASSERT_TRUE(Load("page").ok());
  engines_.info.inputs[0].shape = {-1, 3};
  ASSERT_TRUE(Load("b").ok());
  WaitForState(State::kUnavailable);
  EXPECT_THAT(manager_->Index().back().reason, HasSubstr("the value \"rows\" is FP32 [-1,2]"));
}

TEST_F(ModelBesideTest, IsNoPipelineItself) {
  dir_.Write("b/model.yaml", kTwoSteps);
  dir_.Write("b/1/steps/a/1/model");
  dir_.Write("b/1/steps/b/1/model");
  EXPECT_THAT(Load("page").ToString(), HasSubstr("(model \"b\"): is a pipeline itself"));
}

TEST_F(PipelineModelsTest, AStepWhoseModelIsNowhereIsNamed) {
  WriteOwn();
  std::filesystem::remove_all(dir_ / "page/1/steps/b");
  EXPECT_THAT(Load("page").text(),
              HasSubstr("pipeline step \"second\" (model \"b\"): Request for unknown model"));
}

}  // namespace
}  // namespace snug::serving
