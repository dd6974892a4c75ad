// TorchScript models and compiled packages through the host. testdata/make_models.cc and make_packages.py
// made them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/engine.h"

namespace snug::engine {
namespace {

using testing::HasSubstr;

const std::string kData = SNUG_TEST_SOURCE_DIR "/testdata/";
const std::string kX = R"("inputs":[{"name":"x","dtype":"FP32","shape":[-1,4]}])";
const std::string kLinear = "{" + kX + R"(,"outputs":[{"name":"y","dtype":"FP32","shape":[-1,3]}]})";
const std::string kTwoOutputs = "{" + kX +
                                R"(,"outputs":[{"name":"y","dtype":"FP32","shape":[-1,3]},)"
                                R"({"name":"z","dtype":"FP32","shape":[-1,3]}]})";

class TorchTest : public testing::Test {
 protected:
  void SetUp() override {
#ifdef SNUG_SANITIZED
    GTEST_SKIP() << "LibTorch's own allocations and races are not ours to judge";
#endif
  }
  Result<std::unique_ptr<Model>> TryLoad(const std::string& directory, const std::string& options,
                                         int threads = 1, Isolation isolation = Isolation::kInProcess) {
    return host_->Load({.engine = "auto",
                        .directory = directory,
                        .options_json = options,
                        .threads = threads,
                        .isolation = isolation});
  }
  static Result<std::vector<Tensor>> Send(Instance& instance, int64_t rows) {
    std::vector<float> x(static_cast<size_t>(rows) * 4, 1);
    TensorView view{"x", DType::kFp32, {rows, 4}, x.data(), x.size() * sizeof(float)};
    return instance.Execute({&view, 1}, {});
  }
  // What a model that returns one value says when two are declared.
  std::string SendToOneThatReturnsLess(const std::string& name) {
    auto model = TryLoad(kData + name, kTwoOutputs);
    EXPECT_TRUE(model.ok()) << model.status().ToString();
    return model.ok() ? Send(**(*model)->CreateInstance(), 1).status().text() : "";
  }
  std::unique_ptr<EngineHost> host_ = EngineHost::Create(
      {.plugin_dirs = {SNUG_TEST_PLUGIN_DIR}, .engine_program = SNUG_TEST_BIN_DIR "/snug-engine"});
};

TEST_F(TorchTest, RunsInAProcessOfItsOwn) {
  auto model = TryLoad(kData + "linear", kLinear, 2, Isolation::kDefault);
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_NE((*model)->process_id(), 0);
  EXPECT_THAT((*model)->info().description, testing::MatchesRegex("LibTorch .* CPU, TorchScript, 2 threads"));
  EXPECT_TRUE((*model)->info().batch_is_free);
  auto instance = (*model)->CreateInstance();
  ASSERT_TRUE(instance.ok());
  for (int64_t rows : {1, 7, 3}) {
    auto outputs = Send(**instance, rows);
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    ASSERT_EQ((*outputs)[0].shape, (Shape{rows, 3}));
    const auto* y = static_cast<const float*>((*outputs)[0].buffer.data());
    EXPECT_NEAR(y[0], 0.0f + 0.3f + 0.6f + 0.9f + 0.5f, 1e-5);
    EXPECT_NEAR(y[2], 0.2f + 0.5f + 0.8f + 1.1f + 2.0f, 1e-5);
  }
}

TEST_F(TorchTest, NumbersAreArgumentsToo) {
  auto model = TryLoad(kData + "linear", R"({"inputs":[{"name":"scale","dtype":"FP32","shape":[]},)"
                                         R"({"name":"x","dtype":"FP32","shape":[-1,4]}],)"
                                         R"("outputs":[{"name":"y","dtype":"FP32","shape":[-1,3]}]})");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  const float scale = 10;
  const float x[4] = {1, 1, 1, 1};
  const TensorView views[] = {{"scale", DType::kFp32, {}, &scale, 4},
                              {"x", DType::kFp32, {1, 4}, x, sizeof x}};
  auto outputs = (*(*model)->CreateInstance())->Execute(views, {});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_NEAR(*static_cast<const float*>((*outputs)[0].buffer.data()), 18.5f, 1e-4);
}

TEST_F(TorchTest, DictsByNameTuplesByPlace) {
  auto model = TryLoad(kData + "counter", "{" + kX +
                                              R"(,"stateful":true,"outputs":{)"
                                              R"("sum":{"dtype":"FP32","shape":[-1]},)"
                                              R"("count":{"dtype":"INT64","shape":[1]}}})");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  auto count = [](Instance& instance) {
    auto outputs = Send(instance, 2);
    EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
    return outputs.ok() ? *static_cast<const int64_t*>((*outputs)[0].buffer.data()) : -1;
  };
  auto one = std::move(*(*model)->CreateInstance());
  auto other = std::move(*(*model)->CreateInstance());
  EXPECT_EQ(count(*one), 1);
  EXPECT_EQ(count(*one), 2);
  EXPECT_EQ(count(*other), 1);  // a state of its own
  auto pair = TryLoad(kData + "pair", "{" + kX +
                                          R"(,"outputs":[{"name":"b","dtype":"FP32","shape":[-1,4]},)"
                                          R"({"name":"a","dtype":"FP64","shape":[-1,4]}]})");
  ASSERT_TRUE(pair.ok()) << pair.status().ToString();
  auto outputs = Send(**(*pair)->CreateInstance(), 1);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(*static_cast<const float*>((*outputs)[0].buffer.data()), 2);
  EXPECT_EQ(*static_cast<const double*>((*outputs)[1].buffer.data()), 1);
}

TEST_F(TorchTest, WhatIsDeclaredWronglyIsSaid) {
  EXPECT_THAT(
      TryLoad(kData + "linear", "{}").status().text(),
      HasSubstr(
          "declare inputs and outputs in engine_options, as in inputs: [{name: x, dtype: FP32, shape: [-1, "
          "4]}]; the model has forward("));
  const std::string y = R"("outputs":[{"name":"y","dtype":"FP32","shape":[-1,3]}])";
  EXPECT_THAT(TryLoad(kData + "linear", R"({"inputs":[{"name":"z","dtype":"FP32","shape":[1]}],)" + y + "}")
                  .status()
                  .text(),
              HasSubstr("argument \"x\" of forward("));
  EXPECT_THAT(TryLoad(kData + "linear", R"({"inputs":[{"name":"x","dtype":"FP32","shape":[1]},)"
                                        R"({"name":"z","dtype":"FP32","shape":[1]}],)" +
                                            y + "}")
                  .status()
                  .text(),
              HasSubstr("engine_options.inputs names what is no argument of forward("));
  EXPECT_THAT(TryLoad(kData + "linear", R"({"inputs":[{"name":"x","dtype":"BYTES","shape":[1]}],)" + y + "}")
                  .status()
                  .ToString(),
              HasSubstr("UNIMPLEMENTED: LibTorch has no tensors of type BYTES"));
  EXPECT_THAT(SendToOneThatReturnsLess("linear"), HasSubstr("returned 1 value, declared are 2"));
}

TEST_F(TorchTest, ErrorsOfTheScriptAreTold) {
  auto model = TryLoad(kData + "linear", R"({"inputs":[{"name":"x","dtype":"FP32","shape":[-1,-1]}],)"
                                         R"("outputs":[{"name":"y","dtype":"FP32","shape":[-1,3]}]})");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  const float x[5] = {};
  TensorView view{"x", DType::kFp32, {1, 5}, x, sizeof x};
  Status status = (*(*model)->CreateInstance())->Execute({&view, 1}, {}).status();
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_THAT(status.text(), HasSubstr("shapes cannot be multiplied (1x5 and 4x3)"));
}

TEST_F(TorchTest, OtherFilesAreRefused) {
  std::string directory = testing::TempDir() + "/torch.XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  std::ofstream(directory + "/a.pt") << "no archive";
  EXPECT_THAT(TryLoad(directory, kLinear).status().text(), HasSubstr("a.pt is no TorchScript that LibTorch"));
  std::ofstream(directory + "/b.pt") << "no archive";
  EXPECT_THAT(TryLoad(directory, kLinear).status().text(),
              HasSubstr("several .pt or .pt2 or .jit or .ts files: call one of them model.pt"));
  std::filesystem::remove_all(directory);
}

TEST_F(TorchTest, CompiledPackages) {
  auto model = TryLoad(kData + "compiled", kLinear, 2, Isolation::kDefault);
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_NE((*model)->process_id(), 0);
  EXPECT_THAT((*model)->info().description,
              testing::MatchesRegex("LibTorch .* CPU, compiled torch.export, 2 threads"));
  auto one = std::move(*(*model)->CreateInstance());
  auto other = std::move(*(*model)->CreateInstance());
  for (int64_t rows : {1, 7, 3}) {
    for (Instance* instance : {one.get(), other.get()}) {
      auto outputs = Send(*instance, rows);
      ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
      ASSERT_EQ((*outputs)[0].shape, (Shape{rows, 3}));
      const auto* y = static_cast<const float*>((*outputs)[0].buffer.data());
      EXPECT_NEAR(y[(rows - 1) * 3], 0.0f + 0.1f + 0.2f + 0.3f + 0.5f, 1e-5);
      EXPECT_NEAR(y[(rows - 1) * 3 + 2], 0.8f + 0.9f + 1.0f + 1.1f + 2.0f, 1e-5);
    }
  }
}

TEST_F(TorchTest, StatefulPackagesAreACopyForEachInstance) {
  auto model = TryLoad(kData + "compiled", R"({"stateful":true,)" + kLinear.substr(1));
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  for (int i = 0; i < 2; ++i) {  // the first takes what the load opened, the second opens its own
    auto instance = (*model)->CreateInstance();
    ASSERT_TRUE(instance.ok());
    EXPECT_TRUE(Send(**instance, 2).ok());
  }
}

// The code itself would read past what it was given.
TEST_F(TorchTest, APackageChecksWhatIsDeclaredWrongly) {
  auto model = TryLoad(kData + "compiled", R"({"inputs":[{"name":"x","dtype":"FP32","shape":[-1,-1]}],)"
                                           R"("outputs":[{"name":"y","dtype":"FP32","shape":[-1,3]}]})");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  const float x[5] = {};
  TensorView view{"x", DType::kFp32, {1, 5}, x, sizeof x};
  auto instance = std::move(*(*model)->CreateInstance());
  EXPECT_THAT(instance->Execute({&view, 1}, {}).status().text(), HasSubstr("expected"));
  TensorView half{"x", DType::kFp32, {1, 2}, x, 8};
  EXPECT_THAT(instance->Execute({&half, 1}, {}).status().text(), HasSubstr("expected"));
  EXPECT_THAT(TryLoad(kData + "compiled", "{" + kX + "}").status().text(),
              HasSubstr("declare inputs and outputs in engine_options in the order of forward's"));
  EXPECT_THAT(SendToOneThatReturnsLess("compiled"), HasSubstr("returned 1 value, declared are 2"));
  auto two_inputs = TryLoad(kData + "compiled", R"({"inputs":[{"name":"x","dtype":"FP32","shape":[1,4]},)"
                                                R"({"name":"z","dtype":"FP32","shape":[1,4]}],)"
                                                R"("outputs":[{"name":"y","dtype":"FP32","shape":[-1,3]}]})");
  ASSERT_TRUE(two_inputs.ok()) << two_inputs.status().ToString();
  const float four[4] = {};
  const TensorView views[] = {{"x", DType::kFp32, {1, 4}, four, 16}, {"z", DType::kFp32, {1, 4}, four, 16}};
  EXPECT_FALSE((*(*two_inputs)->CreateInstance())->Execute(views, {}).ok());
}

TEST_F(TorchTest, AGraphThatIsNotCompiledIsSaidToBe) {
  Status status = TryLoad(kData + "exported", kLinear).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.text(), HasSubstr("torch._inductor.aoti_compile_and_package(torch.export.load("));
}

// A real model: silero's detector of speech, 512 samples at a time; it keeps a state.
TEST_F(TorchTest, Silero) {
  const std::string jit = SNUG_TEST_SILERO "/silero_vad.jit";
  if (!std::filesystem::exists(jit)) GTEST_SKIP() << "no " << jit << ": `make models` fetches it";
  std::string directory = testing::TempDir() + "/torch.XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  std::filesystem::create_symlink(jit, directory + "/silero_vad.jit");
  auto model =
      TryLoad(directory, R"({"stateful":true,"inputs":[{"name":"x","dtype":"FP32","shape":[-1,512]},)"
                         R"({"name":"sr","dtype":"INT64","shape":[]}],)"
                         R"("outputs":[{"name":"speech","dtype":"FP32","shape":[-1,1]}]})");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  auto instance = std::move(*(*model)->CreateInstance());
  std::vector<float> silence(512);
  const int64_t rate = 16000;
  const TensorView views[] = {{"x", DType::kFp32, {1, 512}, silence.data(), 2048},
                              {"sr", DType::kInt64, {}, &rate, 8}};
  for (int i = 0; i < 5; ++i) {
    auto outputs = instance->Execute(views, {});
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    const float speech = *static_cast<const float*>((*outputs)[0].buffer.data());
    EXPECT_GE(speech, 0);
    EXPECT_LT(speech, 0.2f);  // nobody speaks
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace snug::engine
