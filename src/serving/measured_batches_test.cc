#include "serving/measured_batches.h"

#include <gtest/gtest.h>

#include <fstream>

#include "os/files.h"
#include "serving/testing/fakes.h"

namespace snug::serving {
namespace {

class MeasuredBatchesTest : public testing::Test {
 protected:
  MeasuredBatchesTest() {
    std::string pattern = testing::TempDir() + "snug_likeness_XXXXXX";
    root_ = mkdtemp(pattern.data());
    EXPECT_TRUE(os::MakeDirs(root_ + "/a").ok());
    EXPECT_TRUE(os::MakeDirs(root_ + "/b").ok());
  }
  ~MeasuredBatchesTest() override { EXPECT_TRUE(os::RemoveTree(root_).ok()); }
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(root_ + "/" + name) << content;
  }
  std::string Likeness(const std::string& name, const engine::ModelInfo& info = FakeInfo(),
                       const repository::ModelConfig& config = {}) {
    return *LikenessOf(config, info, root_ + "/" + name);
  }
  std::string root_;
};

TEST_F(MeasuredBatchesTest, OtherWeightsOfTheSameSizeAreAlike) {
  Write("a/model.onnx", "weights 1");
  Write("b/model.onnx", "weights 2");
  EXPECT_EQ(Likeness("a"), Likeness("b"));
  Write("b/model.onnx", "more weights");
  EXPECT_NE(Likeness("a"), Likeness("b"));
}

TEST_F(MeasuredBatchesTest, OtherTensorsOrSettingsAreNot) {
  engine::ModelInfo info = FakeInfo();
  info.outputs[0].shape = {-1, 3};
  EXPECT_NE(Likeness("a"), Likeness("a", info));
  repository::ModelConfig config;
  config.threads = 2;
  EXPECT_NE(Likeness("a"), Likeness("a", FakeInfo(), config));
  EXPECT_FALSE(LikenessOf(config, info, root_ + "/nonesuch").ok());
}

TEST_F(MeasuredBatchesTest, KeepsSoMany) {
  MeasuredBatches measured;
  EXPECT_FALSE(measured.Find("x"));
  for (size_t i = 0; i <= kMeasuredMax; ++i) measured.Keep(std::to_string(i), {8, 2.0});
  EXPECT_EQ(measured.Find("0")->rows, 8);
  EXPECT_FALSE(measured.Find(std::to_string(kMeasuredMax)));
}

}  // namespace
}  // namespace snug::serving
