// Sequences through the real queue, threads and manager.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <future>
#include <map>

#include "os/files.h"
#include "serving/model_manager.h"
#include "serving/testing/fakes.h"

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

using Answer = std::future<Result<InferResponse>>;

// y = s + x and t = s + x: sums, whose state the server keeps.
class SumInstance : public engine::Instance {
 public:
  explicit SumInstance(FakeControl& control) : control_(control) {}
  Result<std::vector<Tensor>> Execute(std::span<const TensorView> inputs, std::span<const uint8_t>) override {
    SNUG_RETURN_IF_ERROR(control_.Execute());
    const auto rows = static_cast<size_t>(inputs[0].shape[0]);
    std::vector<float> sums(rows);
    for (size_t row = 0; row < rows; ++row) {
      const float x = static_cast<const float*>(inputs[0].data)[row];
      if (x < 0) return InvalidArgument("x must not be negative");
      sums[row] = x + static_cast<const float*>(inputs[1].data)[row];
    }
    const Shape shape{static_cast<int64_t>(rows), 1};
    return std::vector<Tensor>{Floats("y", shape, sums), Floats("t", shape, sums)};
  }

 private:
  FakeControl& control_;
};

class SumModel : public engine::Model {
 public:
  explicit SumModel(FakeControl& control) : control_(control) {
    info_.inputs = {{"x", DType::kFp32, {-1, 1}}, {"s", DType::kFp32, {-1, 1}}};
    info_.outputs = {{"y", DType::kFp32, {-1, 1}}, {"t", DType::kFp32, {-1, 1}}};
    info_.batch_is_free = true;
  }
  const engine::ModelInfo& info() const override { return info_; }
  Result<std::unique_ptr<engine::Instance>> CreateInstance() override {
    return std::unique_ptr<engine::Instance>(std::make_unique<SumInstance>(control_));
  }

 private:
  FakeControl& control_;
  engine::ModelInfo info_;
};

class SumHost : public engine::EngineHost {
 public:
  explicit SumHost(FakeControl& control) : control_(control) {}
  Result<std::unique_ptr<engine::Model>> Load(const engine::LoadRequest&) override {
    return std::unique_ptr<engine::Model>(std::make_unique<SumModel>(control_));
  }
  std::vector<std::string> Engines() const override { return {"sum"}; }
  Result<std::string> Recognise(const std::string&) const override { return std::string("sum"); }

 private:
  FakeControl& control_;
};

constexpr const char* kStates = "states: [{input: s, output: t}]";

class SequencesTest : public testing::Test {
 protected:
  SequencesTest() {
    std::string pattern = testing::TempDir() + "snug_sequences_XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~SequencesTest() override {
    control_.Release();
    manager_.reset();
    EXPECT_TRUE(os::RemoveTree(root_).ok());
  }

  Status Load(const std::string& yaml) {
    EXPECT_TRUE(os::MakeDirs(root_ + "/m/1").ok());
    std::ofstream(root_ + "/m/model.yaml") << yaml;
    ManagerOptions options;
    options.root = root_;
    options.clock = &clock_;
    options.load_time = repository::LoadTime::kAtStart;
    options.standby_after = 1s;
    manager_ = std::make_unique<ModelManager>(options, engines_, parsers_);
    std::promise<Status> loaded;
    manager_->Load("m", "", true, [&](Status status) { loaded.set_value(std::move(status)); });
    return loaded.get_future().get();
  }

  Answer Infer(float x, uint64_t sequence, const char* flags = "", TimePoint deadline = TimePoint::max()) {
    InferRequest request;
    request.model = "m";
    request.arrival = clock_.Now();
    request.deadline = deadline;
    request.inputs = {Floats("x", {1, 1}, {x})};
    request.sequence.id.number = sequence;
    request.sequence.start = std::string_view(flags).find('s') != std::string_view::npos;
    request.sequence.end = std::string_view(flags).find('e') != std::string_view::npos;
    auto outcome = std::make_shared<std::promise<Result<InferResponse>>>();
    manager_->Infer(std::move(request), [outcome](auto result) { outcome->set_value(std::move(result)); });
    return outcome->get_future();
  }
  static float Value(Answer answer) {
    EXPECT_EQ(answer.wait_for(30s), std::future_status::ready);
    Result<InferResponse> result = answer.get();
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    if (!result.ok()) return -1;
    EXPECT_EQ(result->outputs.size(), 1U) << "the state is the server's";
    return *static_cast<const float*>(result->outputs[0].buffer.data());
  }
  static Status StatusOf(Answer answer) {
    EXPECT_EQ(answer.wait_for(30s), std::future_status::ready);
    return answer.get().status();
  }

  std::string root_;
  ManualClock clock_;
  FakeControl control_;
  SumHost engines_{control_};
  FakeParserHost parsers_;
  std::unique_ptr<ModelManager> manager_;
};

TEST_F(SequencesTest, TheServerKeepsTheState) {
  ASSERT_TRUE(Load(fmt::format("sequence: {{strategy: oldest, rows_max: 4, {}}}", kStates)).ok());
  EXPECT_EQ(Value(Infer(1, 1, "s")), 1);
  EXPECT_EQ(Value(Infer(10, 2, "s")), 10);
  EXPECT_EQ(Value(Infer(2, 1)), 3);
  EXPECT_EQ(Value(Infer(20, 2, "e")), 30);
  EXPECT_EQ(Value(Infer(3, 1, "e")), 6);
  EXPECT_EQ(Value(Infer(5, 1, "se")), 5) << "begun anew";
  EXPECT_EQ(manager_->Index()[0].batching, "128 sequences at a time, 4 rows an execution (oldest)");
}

TEST_F(SequencesTest, AModelWithSequencesDoesNotLeaveMemoryUnasked) {
  ASSERT_TRUE(Load(fmt::format("sequence: {{{}}}", kStates)).ok());
  for (int look = 0; look < 3; ++look) {
    manager_->TrimIdle();
    clock_.Advance(60s);
  }
  EXPECT_EQ(manager_->Index()[0].state, State::kReady);
}

TEST_F(SequencesTest, ClientsDoNotSeeTheState) {
  ASSERT_TRUE(Load(fmt::format("sequence: {{{}}}", kStates)).ok());
  auto described = manager_->Describe("m", "");
  ASSERT_TRUE(described.ok());
  EXPECT_EQ(described->info.inputs.size(), 1U);
  EXPECT_EQ(described->info.outputs.size(), 1U);
}

TEST_F(SequencesTest, ManyAtOnceOnSeveralInstances) {
  for (const char* strategy : {"oldest", "direct"}) {
    ASSERT_TRUE(Load(fmt::format("instances: 3\nqueue_limit: 4096\nsequence: {{strategy: {}, rows_max: 4, "
                                 "backlog_max: 40, {}}}",
                                 strategy, kStates))
                    .ok());
    std::map<uint64_t, std::vector<Answer>> answers;
    for (int step = 0; step < 20; ++step) {
      for (uint64_t sequence = 1; sequence <= 40; ++sequence) {
        answers[sequence].push_back(Infer(static_cast<float>(sequence), sequence,
                                          step == 0    ? "s"
                                          : step == 19 ? "e"
                                                       : ""));
      }
    }
    for (auto& [sequence, steps] : answers) {
      for (size_t step = 0; step < steps.size(); ++step) {
        EXPECT_EQ(Value(std::move(steps[step])), static_cast<float>(sequence * (step + 1)));
      }
    }
  }
}

TEST_F(SequencesTest, WhatIsWrongIsSaidAndChangesNothing) {
  ASSERT_TRUE(Load(fmt::format("sequence: {{strategy: oldest, {}}}", kStates)).ok());
  EXPECT_THAT(StatusOf(Infer(1, 0)).text(), HasSubstr("non-zero or non-empty correlation ID"));
  Status unknown = StatusOf(Infer(1, 9));
  EXPECT_EQ(unknown.code(), Code::kInvalidArgument);
  EXPECT_THAT(unknown.text(), HasSubstr("must specify the START flag"));
  EXPECT_EQ(Value(Infer(1, 9, "s")), 1);
  EXPECT_EQ(StatusOf(Infer(-1, 9)).text(), "x must not be negative");
  EXPECT_EQ(Value(Infer(2, 9)), 3) << "what failed is as if it had not been";
}

TEST_F(SequencesTest, ABadRowDoesNotFailTheOthers) {
  ASSERT_TRUE(Load(fmt::format("sequence: {{rows_max: 4, {}}}", kStates)).ok());
  control_.Hold();
  Answer first = Infer(1, 1, "s");
  ASSERT_TRUE(control_.WaitForRunning(1));
  Answer good = Infer(2, 2, "s"), bad = Infer(-1, 3, "s"), next = Infer(5, 1);
  control_.Release();
  EXPECT_EQ(Value(std::move(first)), 1);
  EXPECT_EQ(Value(std::move(good)), 2);
  EXPECT_EQ(StatusOf(std::move(bad)).text(), "x must not be negative");
  EXPECT_EQ(Value(std::move(next)), 6);
}

TEST_F(SequencesTest, ADeadlineThatPassesBreaksTheSequenceOff) {
  ASSERT_TRUE(Load(fmt::format("sequence: {{strategy: oldest, {}}}", kStates)).ok());
  control_.Hold();
  Answer first = Infer(1, 1, "s");
  ASSERT_TRUE(control_.WaitForRunning(1));
  Answer late = Infer(1, 1, "", clock_.Now() + 10ms), behind = Infer(1, 1);
  clock_.Advance(20ms);
  EXPECT_EQ(StatusOf(std::move(late)).code(), Code::kDeadlineExceeded);
  Status status = StatusOf(std::move(behind));
  EXPECT_EQ(status.code(), Code::kAborted);
  EXPECT_THAT(status.text(), HasSubstr("an earlier request of it was not executed; begin it anew"));
  control_.Release();
  EXPECT_EQ(Value(std::move(first)), 1);
  EXPECT_THAT(StatusOf(Infer(1, 1)).text(), HasSubstr("must specify the START flag"));
}

TEST_F(SequencesTest, AModelThatForgotItsStatesEndsItsSequences) {
  // Its own states: the server keeps none, s is an input of the clients' here.
  ASSERT_TRUE(Load("sequence: {strategy: oldest}").ok());
  auto infer = [&](const char* flags) {
    InferRequest request;
    request.model = "m";
    request.inputs = {Floats("x", {1, 1}, {1}), Floats("s", {1, 1}, {0})};
    request.sequence = {{1, ""}, std::string_view(flags) == "s", false};
    std::promise<Status> outcome;
    manager_->Infer(std::move(request), [&](auto result) { outcome.set_value(result.status()); });
    return outcome.get_future().get();
  };
  EXPECT_TRUE(infer("s").ok());
  control_.FailExecutions(1, Unavailable("the process died"));
  EXPECT_EQ(infer("").code(), Code::kUnavailable);
  EXPECT_THAT(infer("").text(),
              testing::AnyOf(HasSubstr("must specify the START flag"), HasSubstr("was lost")));
  EXPECT_TRUE(infer("s").ok());
}

TEST_F(SequencesTest, UnloadingAnswersWhatWaits) {
  ASSERT_TRUE(Load(fmt::format("sequence: {{rows_max: 1, {}}}", kStates)).ok());
  control_.Hold();
  Answer first = Infer(1, 1, "s");
  ASSERT_TRUE(control_.WaitForRunning(1));
  Answer next = Infer(2, 1), other = Infer(3, 2, "s");
  std::promise<Status> unloaded;
  manager_->Unload("m", "", true, [&](Status status) { unloaded.set_value(std::move(status)); });
  control_.Release();
  EXPECT_TRUE(unloaded.get_future().get().ok());
  EXPECT_EQ(Value(std::move(first)), 1);
  EXPECT_EQ(Value(std::move(next)), 3);
  EXPECT_EQ(Value(std::move(other)), 3) << "it need not wait until the first has idled";
}

TEST_F(SequencesTest, WhatDoesNotGoTogetherDoesNotLoad) {
  EXPECT_THAT(Load("sequence: {}\nparser: pair").text(), HasSubstr("`sequence` and a parser"));
  EXPECT_THAT(Load("sequence: {}\ncache: on").text(), HasSubstr("`sequence` and `cache`"));
  EXPECT_THAT(Load("sequence: {}\nbatching: {priorities: [{}]}").text(),
              HasSubstr("`sequence` and batching.priorities"));
  EXPECT_THAT(Load("sequence: {states: [{input: q, output: t}]}").text(), HasSubstr("no input \"q\""));
}

}  // namespace
}  // namespace snug::serving
