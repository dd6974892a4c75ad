// Models in engine processes: the same behaviour as in process, and what only a process can survive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

#include "engine/engine.h"
#include "engine/testing/fixtures.h"
#include "os/process.h"

namespace snug::engine {
namespace {

using testing::HasSubstr;

// Polls: what is waited for happens in other processes.
bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 3000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class ProcessTest : public testing::Test {
 protected:
  std::unique_ptr<Model> Load(const std::string& engine, const std::string& options = "{}") {
    auto model = TryLoad(engine, options);
    EXPECT_TRUE(model.ok()) << model.status().ToString();
    return model.ok() ? std::move(*model) : nullptr;
  }
  Result<std::unique_ptr<Model>> TryLoad(const std::string& engine, const std::string& options) {
    return host_->Load({.engine = engine,
                        .directory = model_.path(),
                        .options_json = options,
                        .isolation = Isolation::kProcess});
  }
  static std::unique_ptr<Instance> Make(Model& model) {
    auto instance = model.CreateInstance();
    EXPECT_TRUE(instance.ok()) << instance.status().ToString();
    return instance.ok() ? std::move(*instance) : nullptr;
  }
  static Status Send(Instance& instance, float first) {
    float x[4] = {first, 0, 0, 0};
    TensorView view{"x", DType::kFp32, {1, 4}, x, sizeof x};
    return instance.Execute({&view, 1}, {}).status();
  }
  std::unique_ptr<EngineHost> host_ = EngineHost::Create(TestHostOptions());
  EchoModel model_{"11 -1 4"};
};

TEST_F(ProcessTest, EchoesFromAnotherProcess) {
  auto model = Load("echo");
  EXPECT_NE(model->process_id(), 0);
  EXPECT_NE(model->process_id(), getpid());
  EXPECT_EQ(model->info().outputs[0], (TensorSpec{"y", DType::kFp32, {-1, 4}}));
  EXPECT_GT(model->info().memory_bytes, 0u);
  auto instance = Make(*model);
  ExpectEcho(*instance, 1);
  ExpectEcho(*instance, 100000);  // 1.6 MB: both regions grow
  ExpectEcho(*instance, 2);
}

TEST_F(ProcessTest, EndsWithItsModel) {
  auto model = Load("echo");
  auto process = os::Identify(static_cast<pid_t>(model->process_id()));
  ASSERT_TRUE(process.ok());
  auto instance = Make(*model);
  model.reset();
  ExpectEcho(*instance, 1);  // the instance keeps it
  instance.reset();
  EXPECT_FALSE(os::IsAlive(*process));
}

TEST_F(ProcessTest, OutputsStayWhileTheyAreHeld) {
  auto model = Load("echo");
  auto instance = Make(*model);
  std::vector<std::vector<Tensor>> held;
  for (int i = 0; i < 20; ++i) {  // more than there are slots
    std::vector<float> x(4, static_cast<float>(i));
    TensorView view{"x", DType::kFp32, {1, 4}, x.data(), 16};
    auto outputs = instance->Execute({&view, 1}, {});
    ASSERT_TRUE(outputs.ok());
    held.push_back(std::move(*outputs));
  }
  instance.reset();
  model.reset();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(static_cast<const float*>(held[static_cast<size_t>(i)][0].buffer.data())[3],
              static_cast<float>(i));
  }
}

TEST_F(ProcessTest, UnwantedOutputsAreNotReturned) {
  auto model = Load("echo");
  auto instance = Make(*model);
  float x[4] = {};
  TensorView view{"x", DType::kFp32, {1, 4}, x, sizeof x};
  uint8_t none[] = {0};
  auto outputs = instance->Execute({&view, 1}, none);
  ASSERT_TRUE(outputs.ok());
  EXPECT_TRUE(outputs->empty());
  EXPECT_EQ(instance->Execute({}, {}).status().code(), Code::kInvalidArgument);
}

TEST_F(ProcessTest, EmptyBatch) {
  auto model = Load("echo");
  auto instance = Make(*model);
  TensorView view{"x", DType::kFp32, {0, 4}, nullptr, 0};
  auto outputs = instance->Execute({&view, 1}, {});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ((*outputs)[0].shape, (Shape{0, 4}));
}

TEST_F(ProcessTest, InstancesRunInParallel) {
  auto model = Load("echo");
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      auto instance = Make(*model);
      for (int i = 1; i < 50; ++i) ExpectEcho(*instance, i);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(ProcessTest, ErrorsComeThrough) {
  EXPECT_EQ(TryLoad("faulty", R"({"fault":"load_error"})").status().ToString(),
            "DATA_LOSS: weights are cut off");
  EXPECT_THAT(TryLoad("faulty", R"({"fault":"bad_dim"})").status().text(), HasSubstr("with dimension -7"));
  EXPECT_THAT(TryLoad("faulty_no_entry", "{}").status().text(), HasSubstr("does not export"));
  auto wrong = Load("faulty", R"({"fault":"output_shape"})");
  EXPECT_THAT(Send(*Make(*wrong), 1).text(), HasSubstr("it wrote [1,5]"));
  auto refusing = Load("faulty", R"({"fault":"instance_error"})");
  EXPECT_EQ(refusing->CreateInstance().status().ToString(), "RESOURCE_EXHAUSTED: no room for an instance");
  auto huge = Load("faulty", R"({"fault":"output_huge"})");
  EXPECT_EQ(Send(*Make(*huge), 1).code(), Code::kResourceExhausted);
}

TEST_F(ProcessTest, CrashWhileLoadingFailsTheLoad) {
  Status status = TryLoad("faulty", R"({"fault":"load_crash"})").status();
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_THAT(status.text(), HasSubstr("died (signal 9) while it loaded the model"));
}

TEST_F(ProcessTest, MissingProgramIsSaid) {
  HostOptions options = TestHostOptions();
  options.engine_program = "/nowhere/snug-engine";
  auto host = EngineHost::Create(options);
  Status status =
      host->Load({.engine = "echo", .directory = model_.path(), .isolation = Isolation::kProcess}).status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_THAT(status.text(), HasSubstr("/nowhere/snug-engine"));
}

TEST_F(ProcessTest, CrashInExecuteIsUnavailableThenRecovers) {
  auto model = Load("faulty", R"({"fault":"crash_on_negative"})");
  auto instance = Make(*model);
  auto other = Make(*model);
  EXPECT_TRUE(Send(*instance, 1).ok());
  int64_t first = model->process_id();
  Status status = Send(*instance, -1);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.text(),
              testing::MatchesRegex("engine process of .* died \\(signal 9\\); it is being restarted"));
  EXPECT_NE(model->process_id(), first) << "who waits for another process must not take this one for alive";
  EXPECT_TRUE(Eventually([&] { return Send(*instance, 1).ok(); }));
  EXPECT_TRUE(Send(*other, 1).ok());
  EXPECT_NE(model->process_id(), first);
}

TEST_F(ProcessTest, TrimIsPassedOnAndHarmsNobodyElse) {
  auto model = Load("faulty", R"({"fault":"idle_trim_crash"})");
  const int64_t first = model->process_id();
  model->Trim(/*idle=*/false);
  auto instance = Make(*model);  // after it, on the same socket
  EXPECT_TRUE(Send(*instance, 1).ok());
  EXPECT_EQ(model->process_id(), first);
  model->Trim(/*idle=*/true);
  EXPECT_TRUE(Eventually([&] { return model->process_id() != 0 && model->process_id() != first; }));
  EXPECT_TRUE(Eventually([&] { return Send(*instance, 1).ok(); }));
}

TEST_F(ProcessTest, ExitIsToldFromASignal) {
  auto model = Load("faulty", R"({"fault":"execute_exits"})");
  EXPECT_THAT(Send(*Make(*model), 1).text(), HasSubstr("ended (exit status 3)"));
}

TEST_F(ProcessTest, HungExecutionEndsItsProcessAlone) {
  auto bystander = Load("echo");
  auto untouched = Make(*bystander);
  const int64_t before = bystander->process_id();
  auto model = host_->Load({.engine = "faulty",
                            .directory = model_.path(),
                            .options_json = R"({"fault":"hang_on_large"})",
                            .isolation = Isolation::kProcess,
                            .execution_seconds_max = 1});
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  auto instance = Make(**model);
  auto other = Make(**model);
  const int64_t first = (*model)->process_id();
  Status status = Send(*instance, 2000);
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_THAT(status.text(),
              testing::MatchesRegex("an execution of .* took longer than execution_timeout_s = 1: "
                                    "its process was killed and is being restarted"));
  EXPECT_TRUE(Eventually([&] { return Send(*instance, 1).ok(); }));
  EXPECT_TRUE(Eventually([&] { return Send(*other, 1).ok(); }));
  EXPECT_NE((*model)->process_id(), first);
  ExpectEcho(*untouched, 1);
  EXPECT_EQ(bystander->process_id(), before);
}

TEST_F(ProcessTest, KilledUnderLoadItRecovers) {
  auto model = Load("echo");
  std::atomic<bool> stop = false;
  std::atomic<int> good = 0;
  std::atomic<int> unavailable = 0;
  std::atomic<int> other = 0;
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, instance = Make(*model)] {
      while (!stop) {
        Status status = Send(*instance, 1);
        (status.ok() ? good : status.code() == Code::kUnavailable ? unavailable : other)++;
      }
    });
  }
  for (int round = 0; round < 3; ++round) {
    int before = good;
    ASSERT_TRUE(Eventually([&] { return good > before + 10 && model->process_id() != 0; }));
    int seen = unavailable;
    kill(static_cast<pid_t>(model->process_id()), SIGKILL);
    ASSERT_TRUE(Eventually([&] { return unavailable > seen; }));
  }
  int before = good;
  EXPECT_TRUE(Eventually([&] { return good > before + 10; }));
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(other, 0);
}

TEST_F(ProcessTest, UnloadWhileDownDoesNotWait) {
  auto model = Load("echo");
  auto instance = Make(*model);
  kill(static_cast<pid_t>(model->process_id()), SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !Send(*instance, 1).ok(); }));
  instance.reset();
  model.reset();
}

TEST_F(ProcessTest, DiesWithItsHost) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t host = fork();
  if (host == 0) {
    auto model =
        host_->Load({.engine = "echo", .directory = model_.path(), .isolation = Isolation::kProcess});
    int64_t pid = model.ok() ? (*model)->process_id() : 0;
    if (write(ends[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    raise(SIGKILL);
  }
  int64_t pid = 0;
  ASSERT_EQ(read(ends[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  ASSERT_NE(pid, 0);
  waitpid(host, nullptr, 0);
  auto process = os::Identify(static_cast<pid_t>(pid));
  EXPECT_TRUE(!process.ok() || Eventually([&] { return !os::IsAlive(*process); }));
}

}  // namespace
}  // namespace snug::engine
