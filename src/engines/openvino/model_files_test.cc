#include "engines/openvino/model_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace snug::openvino {
namespace {

class ModelFilesTest : public testing::Test {
 protected:
  ModelFilesTest() {
    std::string pattern = testing::TempDir() + "/files.XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~ModelFilesTest() override { std::filesystem::remove_all(directory_); }
  void Touch(const std::string& name) { std::ofstream(directory_ + "/" + name) << "x"; }
  std::string directory_;
};

TEST_F(ModelFilesTest, EmptySaysWhatWasExpected) {
  EXPECT_EQ(FindModel(directory_).format, Format::kNone);
  EXPECT_NE(FindModel(directory_).problem.find("NAME.xml with NAME.bin"), std::string::npos);
}

TEST_F(ModelFilesTest, IrNeedsItsWeights) {
  Touch("m.xml");
  EXPECT_EQ(FindModel(directory_).format, Format::kNone);
  Touch("m.bin");
  EXPECT_EQ(FindModel(directory_).path, directory_ + "/m.xml");
}

TEST_F(ModelFilesTest, SeveralNeedOneCalledModel) {
  Touch("a.onnx");
  Touch("b.onnx");
  EXPECT_NE(FindModel(directory_).problem.find("a.onnx, b.onnx"), std::string::npos);
  Touch("model.onnx");
  EXPECT_EQ(FindModel(directory_).path, directory_ + "/model.onnx");
}

TEST_F(ModelFilesTest, SavedModelIsItsDirectory) {
  Touch("saved_model.pb");
  EXPECT_EQ(FindModel(directory_).format, Format::kSavedModel);
  EXPECT_EQ(FindModel(directory_).path, directory_);
}

}  // namespace
}  // namespace snug::openvino
