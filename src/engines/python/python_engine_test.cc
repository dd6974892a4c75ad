// Python models through the host, as snug-server runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/engine.h"
#include "os/files.h"

namespace snug::engine {
namespace {

using testing::HasSubstr;

const std::string kLab = SNUG_TEST_SOURCE_DIR "/testdata/lab";

class PythonTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system(SNUG_TEST_PYTHON " -c 'import numpy' 2>/dev/null") != 0) {
      GTEST_SKIP() << "no numpy: tools/setup/venvs.sh python makes the environment";
    }
  }
  Result<std::unique_ptr<Model>> TryLoad(const std::string& options, const std::string& directory = kLab,
                                         int threads = 1) {
    return host_->Load(
        {.engine = "auto", .directory = directory, .options_json = options, .threads = threads});
  }
  std::unique_ptr<Instance> Make(const std::string& mode, const std::string& more = "") {
    auto model = TryLoad(R"({"options":{"mode":")" + mode + "\"}" + more + "}");
    EXPECT_TRUE(model.ok()) << model.status().ToString();
    if (!model.ok()) return nullptr;
    auto instance = (*model)->CreateInstance();
    EXPECT_TRUE(instance.ok()) << instance.status().ToString();
    return instance.ok() ? std::move(*instance) : nullptr;
  }
  static Result<std::vector<Tensor>> Send(Instance& instance, int64_t rows, float first = 1,
                                          std::span<const uint8_t> wanted = {}) {
    std::vector<float> x(static_cast<size_t>(rows) * 4, 1);
    if (!x.empty()) x[0] = first;
    TensorView view{"x", DType::kFp32, {rows, 4}, x.data(), x.size() * sizeof(float)};
    return instance.Execute({&view, 1}, wanted);
  }
  Status SendTo(const std::string& mode) {
    auto instance = Make(mode);
    return instance == nullptr ? Internal("no instance") : Send(*instance, 2).status();
  }
  // A model of its own text.
  Status LoadText(const std::string& text, const std::string& options = "{}") {
    std::string directory = testing::TempDir() + "/python.XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) return Internal("mkdtemp");
    std::ofstream(directory + "/model.py") << text;
    Status status = TryLoad(options, directory).status();
    std::filesystem::remove_all(directory);
    return status;
  }
  std::unique_ptr<EngineHost> host_ =
      EngineHost::Create({.plugin_dirs = {SNUG_TEST_PLUGIN_DIR}, .threads = 2});
};

TEST_F(PythonTest, TensorsGoInAndOut) {
  auto model = TryLoad("{}");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ((*model)->info().inputs[0], (TensorSpec{"x", DType::kFp32, {-1, 4}}));
  ASSERT_EQ((*model)->info().outputs.size(), 2u);
  EXPECT_EQ((*model)->info().outputs[0], (TensorSpec{"y", DType::kFp32, {-1, -1}}));
  EXPECT_EQ((*model)->info().outputs[1], (TensorSpec{"note", DType::kBytes, {-1}}));
  EXPECT_TRUE((*model)->info().batch_is_free);
  EXPECT_GT((*model)->info().memory_bytes, 1u << 20);
  EXPECT_THAT((*model)->info().description,
              testing::MatchesRegex("Python 3.* with numpy .*, 1 process x 1 thread"));
  auto instance = (*model)->CreateInstance();
  ASSERT_TRUE(instance.ok());
  for (int64_t rows : {1, 3, 200000, 2, 0}) {  // 3.2 MB: both regions grow
    auto outputs = Send(**instance, rows, 5);
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    ASSERT_EQ((*outputs)[0].shape, (Shape{rows, 2}));
    const auto* y = static_cast<const float*>((*outputs)[0].buffer.data());
    if (rows == 0) continue;
    EXPECT_EQ(y[0], 10);
    EXPECT_EQ(y[rows * 2 - 1], 2);
  }
}

TEST_F(PythonTest, StringsAreBytes) {
  auto instance = Make("double");
  auto outputs = Send(*instance, 3);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  const Buffer& note = (*outputs)[1].buffer;
  const char expected[] = "\5\0\0\0row \xff\0\0\0\0\1\0\0\0r";
  EXPECT_EQ(std::string(static_cast<const char*>(note.data()), note.size()),
            std::string(expected, sizeof expected - 1));
}

TEST_F(PythonTest, StringsGoIn) {
  EXPECT_EQ(LoadText(R"(
class M:
    inputs = {"s": (str, [-1])}
    outputs = {"n": ("INT64", [-1])}
    def predict(self, inputs):
        import numpy as np
        return {"n": np.array([len(s) for s in inputs["s"]])}
)")
                .ToString(),
            "OK");
}

TEST_F(PythonTest, OutputsThatNobodyWantsAreNotWritten) {
  auto instance = Make("no_note");
  const uint8_t wanted[] = {1, 0};
  auto outputs = Send(*instance, 2, 1, wanted);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(outputs->size(), 1u);
}

TEST_F(PythonTest, ListsAreConverted) {
  auto outputs = Send(*Make("lists"), 2);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ((*outputs)[0].shape, (Shape{2, 2}));
}

TEST_F(PythonTest, LargerOutputsThanInputs) {
  auto instance = Make("wide");
  for (int64_t rows : {1, 1000, 1}) {
    auto outputs = Send(*instance, rows);
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    EXPECT_EQ((*outputs)[0].shape, (Shape{rows, 400}));
  }
}

TEST_F(PythonTest, ExceptionsBecomeCodes) {
  EXPECT_EQ(SendTo("value_error").ToString(), "INVALID_ARGUMENT: ValueError: row 3 is negative");
  EXPECT_EQ(SendTo("bug").ToString(), "INTERNAL: AttributeError: 'Lab' object has no attribute 'nothing'");
  EXPECT_EQ(SendTo("exit").ToString(), "INTERNAL: SystemExit: 3");
  EXPECT_THAT(SendTo("generator").text(),
              HasSubstr("predict must return a dict of outputs, got generator (a predict that"));
  EXPECT_THAT(SendTo("no_note").text(), HasSubstr("predict returned no \"note\"; it returned: y"));
  EXPECT_THAT(SendTo("wrong_type").text(),
              HasSubstr("declared FP32 [-1, -1], predict returned float64 [2, 4]"));
  EXPECT_THAT(SendTo("wrong_rank").text(), HasSubstr("predict returned float32 [4]"));
}

TEST_F(PythonTest, LoadsThatFailSayWhy) {
  EXPECT_EQ(TryLoad(R"({"options":{"mode":"load_fails"}})").status().ToString(),
            "FAILED_PRECONDITION: model.py: RuntimeError: weights are missing");
  EXPECT_THAT(TryLoad(R"({"options":{"mode":"load_dies"}})").status().text(),
              HasSubstr("ended (exit status 7) while it loaded the model"));
  EXPECT_THAT(TryLoad(R"({"options":{"mode":"load_hangs"},"load_timeout_s":1})").status().ToString(),
              HasSubstr("DEADLINE_EXCEEDED: load of testdata/lab took longer than load_timeout_s = 1"));
  EXPECT_THAT(LoadText("import nothing_of_this_name").text(),
              HasSubstr("No module named 'nothing_of_this_name'"));
  EXPECT_THAT(LoadText("def f(:").text(), HasSubstr("SyntaxError"));
  EXPECT_THAT(LoadText("x = 1").text(), HasSubstr("must define one class with a method predict"));
  const std::string predict = "\n  def predict(self, inputs): return {}\n";
  EXPECT_THAT(LoadText("class A:" + predict + "class B:" + predict).text(), HasSubstr("it has A, B"));
  EXPECT_THAT(LoadText("class A:" + predict).text(), HasSubstr("the model declares no inputs"));
  EXPECT_THAT(LoadText("class A:\n  inputs = {'x': ('FLOAT', [1])}" + predict).text(),
              HasSubstr("class attribute inputs: \"x\": 'FLOAT' is no element type; expected one of BOOL"));
  EXPECT_THAT(LoadText("class A:\n  inputs = {'x': ('FP32', 'wide')}" + predict).text(),
              HasSubstr("the shape of \"x\" must be a list of numbers"));
}

TEST_F(PythonTest, TensorsMayBeDeclaredInTheConfiguration) {
  const std::string text = "class A:\n  def predict(self, inputs): return {}\n";
  const std::string options =
      R"({"inputs":{"a":{"dtype":"INT8","shape":[2]}},"outputs":{"b":{"dtype":"BOOL","shape":[]}}})";
  EXPECT_EQ(LoadText(text, options).ToString(), "OK");
  EXPECT_THAT(LoadText(text, R"({"inputs":[1]})").text(), HasSubstr("\"inputs\" must be a map"));
  EXPECT_EQ(LoadText(text + "  def describe(self):\n    return {'inputs': {'x': ('FP32', [1])},"
                            "'outputs': {'y': ('FP32', [1])}}\n")
                .ToString(),
            "OK");
}

TEST_F(PythonTest, OptionsAreChecked) {
  EXPECT_THAT(TryLoad(R"({"colour":"red"})").status().text(),
              HasSubstr("unknown engine option \"colour\"; known:"));
  EXPECT_THAT(TryLoad(R"({"python":"/nowhere/python"})").status().text(),
              HasSubstr("/nowhere/python cannot be executed"));
  EXPECT_THAT(TryLoad(R"({"venv":"absent"})").status().text(),
              HasSubstr("absent/bin/python cannot be executed"));
  EXPECT_THAT(TryLoad(R"({"class":"Nobody"})").status().text(), HasSubstr("model.py has no class Nobody"));
}

TEST_F(PythonTest, ThreadsOfLibrariesAreLimited) {
  auto model = TryLoad(R"({"options":{"mode":"threads"}})", kLab, 3);
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  auto outputs = Send(**(*model)->CreateInstance(), 1);
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ(*static_cast<const float*>((*outputs)[0].buffer.data()), 3);
  EXPECT_EQ((*model)->info().threads_per_instance, 3);
}

TEST_F(PythonTest, DeathIsThatRequestsAlone) {
  auto instance = Make("double");
  auto other = Make("double");
  Status status = Send(*instance, 1, -1).status();  // kills the second worker as well
  EXPECT_EQ(status.ToString(), "UNAVAILABLE: the Python worker of testdata/lab died (signal 9)");
  EXPECT_TRUE(Send(*other, 1).ok());
  // Within the back-off requests fail at once, then the worker is there again.
  Status after = Send(*instance, 1).status();
  for (int i = 0; i < 500 && !after.ok(); ++i) {
    EXPECT_EQ(after.code(), Code::kUnavailable) << after.ToString();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    after = Send(*instance, 1).status();
  }
  EXPECT_EQ(after.ToString(), "OK");
}

TEST_F(PythonTest, AModelThatRemembersIsNotAskedAgain) {
  const std::string path = testing::TempDir() + fmt::format("/died.{}", getpid());
  const std::string options = fmt::format(R"("options":{{"mode":"dies_once","flag":"{}"}})", path);
  for (const char* stateful : {"false", "true"}) {
    std::filesystem::remove(path);
    auto model = TryLoad(fmt::format(R"({{"stateful":{},{}}})", stateful, options));
    ASSERT_TRUE(model.ok()) << model.status().ToString();
    auto instance = (*model)->CreateInstance();
    ASSERT_TRUE(instance.ok());
    EXPECT_EQ(Send(**instance, 1).ok(), std::string_view(stateful) == "false");
  }
  std::filesystem::remove(path);
}

TEST_F(PythonTest, KilledFromOutsideLosesNothing) {
  auto model =
      TryLoad(R"({"outputs":{"y":{"dtype":"FP32","shape":[-1,-1]},"note":{"dtype":"BYTES","shape":[-1]}}})");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  auto instance = (*model)->CreateInstance();
  ASSERT_TRUE(instance.ok());
  ASSERT_TRUE(Send(**instance, 1).ok());
  ASSERT_EQ(std::system(("for t in /proc/" + std::to_string(getpid()) +
                         "/task/*; do for c in $(cat $t/children); do "
                         "[ \"$(cat /proc/$c/comm)\" = snug-python ] && kill -9 $c; done; done; true")
                            .c_str()),
            0);
  EXPECT_EQ(Send(**instance, 1).status().ToString(), "OK");
}

TEST_F(PythonTest, HangIsBounded) {
  auto instance = Make("double", R"(,"timeout_s":1)");
  EXPECT_EQ(Send(*instance, 1, 2000).status().ToString(),
            "DEADLINE_EXCEEDED: predict of testdata/lab took longer than timeout_s = 1: its Python worker "
            "was killed");
  Status after = Send(*instance, 1).status();
  for (int i = 0; i < 500 && !after.ok(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    after = Send(*instance, 1).status();
  }
  EXPECT_EQ(after.ToString(), "OK");
}

// A predict that yields.
class YieldTest : public PythonTest {
 protected:
  void SetUp() override {
    PythonTest::SetUp();
    if (IsSkipped()) return;
    auto model = TryLoad("{}", SNUG_TEST_SOURCE_DIR "/testdata/repeat");
    ASSERT_TRUE(model.ok()) << model.status().ToString();
    EXPECT_TRUE((*model)->info().decoupled);
    auto instance = (*model)->CreateInstance();
    ASSERT_TRUE(instance.ok());
    instance_ = *std::move(instance);
  }
  // Takes answers until it has `most`; what they held is in rows_.
  Status Stream(std::vector<int32_t> x, size_t most = 1000, std::span<const uint8_t> wanted = {}) {
    rows_.clear();
    TensorView view{
        "x", DType::kInt32, {static_cast<int64_t>(x.size())}, x.data(), x.size() * sizeof(int32_t)};
    return instance_->ExecuteStream({&view, 1}, wanted, [&](std::vector<Tensor> outputs) {
      const auto* y = static_cast<const int32_t*>(outputs[0].buffer.data());
      rows_.emplace_back(y, y + outputs[0].shape[0]);
      outputs_ = outputs.size();
      return rows_.size() < most;
    });
  }

  std::unique_ptr<Instance> instance_;
  std::vector<std::vector<int32_t>> rows_;
  size_t outputs_ = 0;
};

TEST_F(YieldTest, EachPartIsAnAnswer) {
  EXPECT_TRUE(Stream({1, 3, 40000, 2}).ok());
  ASSERT_EQ(rows_.size(), 4U);
  EXPECT_EQ(rows_[1], (std::vector<int32_t>{3, 3, 3}));
  EXPECT_EQ(rows_[2], std::vector<int32_t>(40000, 40000));
  EXPECT_EQ(outputs_, 2U);
  EXPECT_TRUE(Stream({}).ok());
  EXPECT_TRUE(rows_.empty());
  EXPECT_TRUE(Stream({5}, 1000, std::vector<uint8_t>{1, 0}).ok());
  EXPECT_EQ(outputs_, 1U);
}

TEST_F(YieldTest, WhoWantsNoMoreEndsIt) {
  EXPECT_EQ(Stream({1, 2, 3, 4}, 2).code(), Code::kCancelled);
  EXPECT_EQ(rows_.size(), 2U);
  EXPECT_TRUE(Stream({7}).ok()) << "the next request is as any";
  EXPECT_EQ(rows_.size(), 1U);
}

TEST_F(YieldTest, AnErrorComesAfterWhatWasAnswered) {
  EXPECT_EQ(Stream({1, -1, 2}).ToString(), "INVALID_ARGUMENT: ValueError: a negative value");
  EXPECT_EQ(rows_.size(), 1U);
  EXPECT_TRUE(Stream({7}).ok());
}

TEST_F(PythonTest, InstancesRunInParallel) {
  auto model = host_->Load({.engine = "python", .directory = kLab, .instances = 2});
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  std::vector<std::unique_ptr<Instance>> instances;
  instances.reserve(2);
  for (int t = 0; t < 2; ++t) instances.push_back(std::move(*(*model)->CreateInstance()));
  std::vector<std::thread> threads;
  for (auto& instance : instances) {
    threads.emplace_back([&instance] {
      for (int64_t i = 1; i < 100; ++i) EXPECT_TRUE(Send(*instance, i).ok());
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace snug::engine
