// The plug-in as the server sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/engine.h"
#include "engine/testing/fixtures.h"

namespace snug::engine {
namespace {

using testing::HasSubstr;

const std::string kLinear = SNUG_TEST_SOURCE_DIR "/../../engine/testdata/linear_onnx";
const std::string kFixed = SNUG_TEST_SOURCE_DIR "/../../engine/testdata/linear_fixed_onnx";
const std::string kTexts = SNUG_TEST_SOURCE_DIR "/testdata/texts";  // y = x, strings

class OnnxRuntimeTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Model>> TryLoad(const std::string& directory, const std::string& options = "{}",
                                         Isolation isolation = Isolation::kDefault) {
    return host_->Load({.engine = "onnxruntime",
                        .directory = directory,
                        .options_json = options,
                        .instances = 2,
                        .isolation = isolation});
  }
  std::unique_ptr<Model> Load(const std::string& directory, const std::string& options = "{}",
                              Isolation isolation = Isolation::kDefault) {
    auto model = TryLoad(directory, options, isolation);
    EXPECT_TRUE(model.ok()) << model.status().ToString();
    return model.ok() ? std::move(*model) : nullptr;
  }
  // y = xW + b of engine/testdata.
  static void ExpectLinear(Instance& instance, int64_t rows) {
    std::vector<float> x;
    for (int64_t i = 0; i < rows * 4; ++i) x.push_back(static_cast<float>(i % 7) - 2.5F);
    TensorView view{"x", DType::kFp32, {rows, 4}, x.data(), x.size() * 4};
    auto outputs = instance.Execute({&view, 1}, {});
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    ASSERT_EQ((*outputs)[0].shape, (Shape{rows, 3}));
    const float bias[3] = {0.5F, -1.0F, 2.0F};
    const auto* y = static_cast<const float*>((*outputs)[0].buffer.data());
    for (size_t i = 0; i < static_cast<size_t>(rows) * 3; ++i) {
      float sum = bias[i % 3];
      for (size_t k = 0; k < 4; ++k) sum += x[i / 3 * 4 + k] * static_cast<float>(k * 3 + i % 3) / 10;
      EXPECT_NEAR(y[i], sum, 1e-5) << i;
    }
  }
  std::unique_ptr<EngineHost> host_ = EngineHost::Create(TestHostOptions());
};

TEST_F(OnnxRuntimeTest, ReadsOnnx) {
  auto model = Load(kLinear);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->info().inputs[0], (TensorSpec{"x", DType::kFp32, {-1, 4}}));
  EXPECT_EQ(model->info().outputs[0], (TensorSpec{"y", DType::kFp32, {-1, 3}}));
  EXPECT_TRUE(model->info().batch_is_free);
  EXPECT_THAT(model->info().description, testing::MatchesRegex("ONNX Runtime .* CPU, 1 thread"));
  auto instance = model->CreateInstance();
  ASSERT_TRUE(instance.ok());
  for (const int64_t rows : {1, 5, 0, 2}) ExpectLinear(**instance, rows);
}

TEST_F(OnnxRuntimeTest, WritesFixedShapesInPlace) {
  auto model = Load(kFixed);
  ASSERT_NE(model, nullptr);
  auto instance = model->CreateInstance();
  ASSERT_TRUE(instance.ok());
  for (int i = 0; i < 3; ++i) ExpectLinear(**instance, 2);
  float x[8] = {};
  TensorView view{"x", DType::kFp32, {2, 4}, x, sizeof x};
  uint8_t none[] = {0};
  EXPECT_TRUE((*instance)->Execute({&view, 1}, none).ok()) << "nobody wants the output";
}

TEST_F(OnnxRuntimeTest, InstancesRunInParallel) {
  auto model = Load(kLinear, R"({"optimise":"basic"})");
  ASSERT_NE(model, nullptr);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      auto instance = model->CreateInstance();
      ASSERT_TRUE(instance.ok());
      for (int i = 0; i < 50; ++i) ExpectLinear(**instance, 1 + i % 3);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(OnnxRuntimeTest, RunsInAProcessOfItsOwn) {
  auto model = Load(kLinear, "{}", Isolation::kProcess);
  ASSERT_NE(model, nullptr);
  EXPECT_NE(model->process_id(), 0);
  auto instance = model->CreateInstance();
  ASSERT_TRUE(instance.ok());
  ExpectLinear(**instance, 3);
}

TEST_F(OnnxRuntimeTest, ServesTexts) {
  auto model = Load(kTexts);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->info().inputs[0], (TensorSpec{"x", DType::kBytes, {-1}}));
  auto instance = model->CreateInstance();
  ASSERT_TRUE(instance.ok());
  const std::string texts("\3\0\0\0abc\0\0\0\0\2\0\0\0\xc3\xa4", 17);
  TensorView view{"x", DType::kBytes, {3}, texts.data(), texts.size()};
  auto outputs = (*instance)->Execute({&view, 1}, {});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  const Buffer& buffer = (*outputs)[0].buffer;
  EXPECT_EQ(std::string(static_cast<const char*>(buffer.data()), buffer.size()), texts);

  const std::string with_zero("\3\0\0\0a\0c", 7);
  TensorView bad{"x", DType::kBytes, {1}, with_zero.data(), with_zero.size()};
  EXPECT_THAT((*instance)->Execute({&bad, 1}, {}).status().ToString(),
              HasSubstr("INVALID_ARGUMENT: input \"x\": ONNX Runtime takes no text with a zero byte"));
}

TEST_F(OnnxRuntimeTest, ReadsAModelThatOpenVinoDoesNot) {
  const std::string file = SNUG_TEST_MODELS "/src/extra/silero_vad/data/silero_vad.onnx";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no " << file << ": `make models` fetches it";
  const std::string directory = testing::TempDir() + "snug-silero";
  std::filesystem::create_directories(directory);
  std::filesystem::copy_file(file, directory + "/model.onnx",
                             std::filesystem::copy_options::overwrite_existing);
  auto model = Load(directory);
  ASSERT_NE(model, nullptr);
  auto instance = model->CreateInstance();
  ASSERT_TRUE(instance.ok());
  const std::vector<float> input(576), state(256);
  const int64_t rate = 16000;
  const TensorView views[] = {{"input", DType::kFp32, {1, 576}, input.data(), input.size() * 4},
                              {"state", DType::kFp32, {2, 1, 128}, state.data(), state.size() * 4},
                              {"sr", DType::kInt64, {}, &rate, sizeof rate}};
  auto outputs = (*instance)->Execute(views, {});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  ASSERT_EQ((*outputs)[0].shape, (Shape{1, 1}));
  const float speech = *static_cast<const float*>((*outputs)[0].buffer.data());
  EXPECT_GT(speech, 0);
  EXPECT_LT(speech, 0.5) << "of silence";
  std::filesystem::remove_all(directory);
}

TEST_F(OnnxRuntimeTest, SaysWhatIsWrong) {
  const std::string directory = testing::TempDir() + "snug-onnx-wrong";
  std::filesystem::create_directories(directory);
  EXPECT_THAT(TryLoad(directory).status().text(), HasSubstr("holds no .onnx file: expected model.onnx"));
  std::ofstream(directory + "/model.onnx") << "no model";
  EXPECT_EQ(TryLoad(directory).status().code(), Code::kInvalidArgument);
  EXPECT_THAT(TryLoad(kLinear, R"({"precision":"bf16"})").status().text(), HasSubstr("optimise"));
  EXPECT_THAT(TryLoad(kLinear, R"({"optimise":"much"})").status().text(), HasSubstr("extended"));
  std::filesystem::remove_all(directory);
}

TEST_F(OnnxRuntimeTest, LeavesOnnxToOpenVinoUnlessNamed) {
  EXPECT_EQ(*host_->Recognise(kLinear), "openvino");
}

}  // namespace
}  // namespace snug::engine
