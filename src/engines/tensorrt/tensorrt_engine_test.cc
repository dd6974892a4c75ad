// All but TensorRT and CUDA themselves, which need a GPU: a plan by hand stands in for them behind plan.h.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "engine/engine.h"
#include "engine/testing/fixtures.h"
#include "engines/tensorrt/execution.h"
#include "engines/tensorrt/types.h"

namespace snug::trt {
namespace {

using testing::HasSubstr;

// y = 2x; "positive": those above 0, of which nobody knows how many before.
class DoublingContext : public Context {
 public:
  void SetInput(size_t tensor, std::span<const int64_t> dims, const void* data, uint64_t bytes) override {
    EXPECT_EQ(tensor, 1u);
    dims_.assign(dims.begin(), dims.end());
    x_.resize(bytes / sizeof(float));
    if (bytes > 0) std::memcpy(x_.data(), data, bytes);
  }
  void Run() override {
    ++runs;
    if (fails) throw kit::Failure(SNUG_INTERNAL, "executing: the GPU has fallen off the bus");
    y_ = x_;
    positive_.clear();
    for (float& value : y_) value *= 2;
    for (const float value : x_) {
      if (value > 0) positive_.push_back(value);
    }
  }
  Dims OutputDims(size_t tensor) override {
    if (loses_shape) return {-1};
    return tensor == 0 ? Dims{static_cast<int64_t>(positive_.size())} : dims_;
  }
  void GetOutput(size_t tensor, void* to, uint64_t bytes) override {
    const std::vector<float>& from = tensor == 0 ? positive_ : y_;
    ASSERT_EQ(bytes, from.size() * sizeof(float));
    if (bytes > 0) std::memcpy(to, from.data(), bytes);
  }

  int runs = 0;
  bool fails = false, loses_shape = false;

 private:
  Dims dims_;
  std::vector<float> x_, y_, positive_;
};

// Inputs and outputs in the order that TensorRT gives them, which is none.
class DoublingPlan : public Plan {
 public:
  const std::vector<IoTensor>& tensors() const override { return tensors_; }
  uint64_t context_bytes() const override { return 1000; }
  std::unique_ptr<Context> CreateContext() override { return std::make_unique<DoublingContext>(); }

 private:
  std::vector<IoTensor> tensors_{{"positive", false, SNUG_FP32, {-1}, {}, {}},
                                 {"x", true, SNUG_FP32, {-1, 2}, {1, 2}, {8, 2}},
                                 {"y", false, SNUG_FP32, {-1, 2}, {}, {}}};
};

struct Given {
  Dims dims;
  std::vector<float> values;
};

class ExecutionTest : public testing::Test {
 protected:
  snug_code Run(const std::vector<float>& x, Dims dims, std::vector<uint8_t> wanted = {1, 1}) {
    snug_tensor input{};
    input.name = "x";
    input.dtype = SNUG_FP32;
    input.rank = static_cast<int32_t>(dims.size());
    input.dims = dims.data();
    input.data = x.data();
    input.bytes = x.size() * sizeof(float);
    given_.assign(2, {});
    snug_output_sink sink{};
    sink.struct_size = sizeof sink;
    sink.context = this;
    sink.allocate = [](void* self, uint32_t index, snug_dtype dtype, int32_t rank, const int64_t* shape,
                       uint64_t bytes) -> void* {
      auto& test = *static_cast<ExecutionTest*>(self);
      EXPECT_EQ(dtype, SNUG_FP32);
      if (test.refuses_) return nullptr;
      Given& output = test.given_[index];
      output.dims.assign(shape, shape + rank);
      output.values.resize(bytes / sizeof(float) + 1);  // never null
      return output.values.data();
    };
    snug_error error{};
    const snug_code code = kit::Guard(
        &error, SNUG_UNIMPLEMENTED, [&] { Execute(plan_, border_, context_, &input, wanted.data(), sink); });
    text_ = code == SNUG_OK ? "" : error.text;
    return code;
  }

  DoublingPlan plan_;
  Border border_{plan_};
  DoublingContext context_;
  std::vector<Given> given_;
  std::string text_;
  bool refuses_ = false;
};

TEST_F(ExecutionTest, InputsAndOutputsAreCountedApart) {
  ASSERT_EQ(border_.inputs.size(), 1u);
  EXPECT_STREQ(border_.inputs.specs()[0].name, "x");
  ASSERT_EQ(border_.outputs.size(), 2u);
  EXPECT_STREQ(border_.outputs.specs()[0].name, "positive");
  EXPECT_STREQ(border_.outputs.specs()[1].name, "y");
  EXPECT_EQ(border_.outputs.dims(1), (Dims{-1, 2}));
}

TEST_F(ExecutionTest, GivesWhatIsWantedInTheShapeThatCameOut) {
  ASSERT_EQ(Run({1, -2, 3, 0}, {2, 2}), SNUG_OK) << text_;
  EXPECT_EQ(given_[0].dims, (Dims{2}));
  EXPECT_EQ(given_[0].values[1], 3);
  EXPECT_EQ(given_[1].dims, (Dims{2, 2}));
  EXPECT_EQ(given_[1].values[1], -4);
  ASSERT_EQ(Run({-1, -1}, {1, 2}, {1, 0}), SNUG_OK) << text_;
  EXPECT_EQ(given_[0].dims, (Dims{0}));
  EXPECT_TRUE(given_[1].values.empty()) << "nobody wants it";
}

TEST_F(ExecutionTest, AShapeOutsideTheProfileIsRefusedBeforeAnythingRuns) {
  EXPECT_EQ(Run(std::vector<float>(18), {9, 2}), SNUG_INVALID_ARGUMENT);
  EXPECT_EQ(text_, "input \"x\" has the shape [9, 2]; the plan's profile takes [1, 2] to [8, 2]");
  EXPECT_EQ(Run({}, {0, 2}), SNUG_INVALID_ARGUMENT);
  EXPECT_EQ(Run({1, 2}, {2}), SNUG_INVALID_ARGUMENT);
  EXPECT_EQ(context_.runs, 0);
}

TEST_F(ExecutionTest, FailuresAreTheRequestsOwn) {
  context_.fails = true;
  EXPECT_EQ(Run({1, 2}, {1, 2}), SNUG_INTERNAL);
  EXPECT_THAT(text_, HasSubstr("fallen off the bus"));
  context_.fails = false;
  context_.loses_shape = true;
  EXPECT_EQ(Run({1, 2}, {1, 2}), SNUG_INTERNAL);
  EXPECT_THAT(text_, HasSubstr("output \"positive\" came with the shape [-1]"));
  context_.loses_shape = false;
  refuses_ = true;
  EXPECT_EQ(Run({1, 2}, {1, 2}), SNUG_INTERNAL);
  refuses_ = false;
  EXPECT_EQ(Run({1, 2}, {1, 2}), SNUG_OK);
}

TEST(Types, AreThoseThatClientsCanSend) {
  using nvinfer1::DataType;
  for (auto [nv, ours] : {std::pair{DataType::kFLOAT, SNUG_FP32},
                          {DataType::kHALF, SNUG_FP16},
                          {DataType::kBF16, SNUG_BF16},
                          {DataType::kINT8, SNUG_INT8},
                          {DataType::kINT32, SNUG_INT32},
                          {DataType::kINT64, SNUG_INT64},
                          {DataType::kBOOL, SNUG_BOOL},
                          {DataType::kUINT8, SNUG_UINT8}}) {
    EXPECT_EQ(ToSnug(nv, "x"), ours);
  }
  for (const DataType other : {DataType::kFP8, DataType::kINT4, DataType::kFP4}) {
    try {
      ToSnug(other, "scale");
      FAIL();
    } catch (const kit::Failure& failure) {
      EXPECT_EQ(failure.code(), SNUG_UNIMPLEMENTED);
      EXPECT_THAT(failure.what(), HasSubstr("tensor \"scale\""));
    }
  }
}

TEST(Types, ShapesGoThereAndBack) {
  const Dims dims{-1, 3, 48, 320};
  EXPECT_EQ(ToSnug(ToNv(dims, "x"), "x"), dims);
  EXPECT_EQ(ToSnug(ToNv({}, "x"), "x"), Dims{});
  const Dims many(nvinfer1::Dims::MAX_DIMS + 1, 1);
  EXPECT_THROW(ToNv(many, "x"), kit::Failure);
  nvinfer1::Dims unknown{};
  unknown.nbDims = -1;
  EXPECT_THROW(ToSnug(unknown, "x"), kit::Failure);
}

// The plug-in as the server sees it, on a machine that has the headers alone. Libraries are opened once in a
// process, so each load has one of its own.
class PluginTest : public testing::Test {
 protected:
  PluginTest() : directory_(testing::TempDir() + "snug-tensorrt") {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  ~PluginTest() override {
    unsetenv("SNUG_CUDART_LIBRARY");
    unsetenv("SNUG_TENSORRT_LIBRARY");
    std::filesystem::remove_all(directory_);
  }
  void Add(const std::string& file) { std::ofstream(directory_ + "/" + file) << "no plan"; }
  Status Load(const std::string& options = "{}") {
    return host_
        ->Load({.engine = "tensorrt",
                .directory = directory_,
                .options_json = options,
                .isolation = engine::Isolation::kProcess})
        .status();
  }

  std::string directory_;
  std::unique_ptr<engine::EngineHost> host_ = engine::EngineHost::Create(engine::TestHostOptions());
};

TEST_F(PluginTest, KnowsPlansByTheirNames) {
  Add("model.plan");
  EXPECT_EQ(*host_->Recognise(directory_), "tensorrt");
}

TEST_F(PluginTest, WithoutCudaALoadSaysWhatIsMissing) {
  setenv("SNUG_CUDART_LIBRARY", "/nowhere/libcudart.so", 1);
  Add("ocr.engine");
  const Status status = Load();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition) << status.ToString();
  EXPECT_THAT(status.text(), HasSubstr("CUDA's runtime cannot be opened"));
  EXPECT_THAT(status.text(), HasSubstr("set SNUG_CUDART_LIBRARY to its path"));
}

// CUDA's real runtime, from its wheel: it finds no GPU here, or goes on and misses TensorRT.
TEST_F(PluginTest, WithoutAGpuOrTensorRtALoadSaysSo) {
  setenv("SNUG_TENSORRT_LIBRARY", "/nowhere/libnvinfer.so", 1);
  Add("model.plan");
  const Status status = Load();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition) << status.ToString();
  EXPECT_THAT(status.text(),
              testing::AnyOf(HasSubstr("looking for GPUs: CUDA says: "), HasSubstr("GPUs here: 0"),
                             HasSubstr("set SNUG_TENSORRT_LIBRARY to its path")));
}

TEST_F(PluginTest, SaysWhatIsWrong) {
  EXPECT_THAT(Load().text(), HasSubstr("model.plan"));
  Add("a.plan");
  EXPECT_THAT(Load(R"({"precision":"f16"})").text(), HasSubstr("profile"));
  EXPECT_THAT(Load(R"({"device":64})").text(), HasSubstr("device"));
  Add("b.plan");
  EXPECT_THAT(Load().text(), HasSubstr("several .plan or .engine files"));
}

}  // namespace
}  // namespace snug::trt
