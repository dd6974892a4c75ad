// The plug-in as the server sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "engine/engine.h"

namespace snug::engine {
namespace {

using testing::HasSubstr;

template <typename T>
Tensor Make(const std::string& name, DType dtype, Shape shape, const std::vector<T>& values) {
  Buffer buffer = Buffer::Allocate(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(buffer.data(), values.data(), buffer.size());
  return {name, dtype, std::move(shape), std::move(buffer)};
}

class PageOcrTest : public testing::Test {
 protected:
  PageOcrTest() {
    std::filesystem::create_directories(directory_);
    std::ofstream(directory_ + "/dict.txt") << "a\nb\n";
    HostOptions options;
    options.plugin_dirs = {SNUG_TEST_PLUGIN_DIR};
    host_ = EngineHost::Create(options);
  }
  ~PageOcrTest() override { std::filesystem::remove_all(directory_); }

  Result<std::unique_ptr<Model>> Load(const std::string& options) {
    LoadRequest request;
    request.engine = "page_ocr";
    request.directory = directory_;
    request.options_json = options;
    return host_->Load(request);
  }
  Result<std::vector<Tensor>> Run(const std::string& options, const std::vector<Tensor>& inputs) {
    SNUG_ASSIGN_OR_RETURN(auto model, Load(options));
    SNUG_ASSIGN_OR_RETURN(auto instance, model->CreateInstance());
    std::vector<TensorView> views;
    views.reserve(inputs.size());
    for (const Tensor& input : inputs) views.push_back(input.View());
    return instance->Execute(views, {});
  }

  const std::string directory_ = testing::TempDir() + "snug-page-ocr";
  std::unique_ptr<EngineHost> host_;
};

Tensor Page(int64_t height, int64_t width) {
  return Make("image", DType::kUint8, {height, width, 3},
              std::vector<uint8_t>(static_cast<size_t>(height * width * 3), 255));
}

const std::vector<float> kBox{10, 10, 90, 10, 90, 30, 10, 30};

TEST_F(PageOcrTest, SaysWhichStepsThereAre) {
  EXPECT_THAT(Load("{}").status().text(), HasSubstr("name the step"));
  EXPECT_THAT(Load(R"({"step":"sort"})").status().text(), HasSubstr("scale"));
  EXPECT_THAT(Load(R"({"step":"scale","width":3})").status().text(), HasSubstr("side_max"));
}

TEST_F(PageOcrTest, ScaleMakesSidesThatTheDetectorTakes) {
  auto outputs = Run(R"({"step":"scale","side_max":320})", {Page(700, 500)});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ((*outputs)[0].shape, (Shape{1, 3, 320, 224}));
  EXPECT_EQ(static_cast<const float*>((*outputs)[0].buffer.data())[0], 1.0F) << "white";
  EXPECT_EQ(Run(R"({"step":"scale"})", {Page(0, 5)}).status().code(), Code::kInvalidArgument);
}

TEST_F(PageOcrTest, BoxesAreInPixelsOfThePage) {
  std::vector<float> map(size_t{64} * 32, 0);
  for (size_t y = 8; y < 16; ++y) {
    for (size_t x = 10; x < 50; ++x) map[y * 64 + x] = 1;
  }
  auto outputs = Run(R"({"step":"boxes"})", {Make("map", DType::kFp32, {1, 1, 32, 64}, map), Page(64, 128)});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  ASSERT_EQ((*outputs)[0].shape, (Shape{1, 4, 2}));
  const auto* corners = static_cast<const float*>((*outputs)[0].buffer.data());
  const float by = 40 * 8 * 1.6F / (2 * 48);
  EXPECT_NEAR(corners[0], 2 * (10 - by), 0.01);
  EXPECT_NEAR(corners[1], 2 * (8 - by), 0.01);
}

TEST_F(PageOcrTest, CutMakesPiecesAndSaysWhoseTheyAre) {
  auto outputs = Run(R"({"step":"cut"})", {Page(64, 128), Make("box", DType::kFp32, {1, 4, 2}, kBox)});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ((*outputs)[0].shape, (Shape{1, 3, 48, 320}));
  EXPECT_EQ((*outputs)[1].shape, (Shape{1}));
  auto none =
      Run(R"({"step":"cut"})", {Page(64, 128), Make("box", DType::kFp32, {0, 4, 2}, std::vector<float>{})});
  ASSERT_TRUE(none.ok()) << none.status().ToString();
  EXPECT_EQ((*none)[0].shape, (Shape{0, 3, 48, 320}));
  auto far = kBox;
  far[3] = 1e30F;
  EXPECT_EQ(
      Run(R"({"step":"cut"})", {Page(64, 128), Make("box", DType::kFp32, {1, 4, 2}, far)}).status().code(),
      Code::kInvalidArgument);
}

TEST_F(PageOcrTest, ReadDecodesEachPiece) {
  const std::vector<float> two{0, 1, 0, 0, 0, 0, 0.5F, 0,   // "a", "b"
                               1, 0, 0, 0, 0, 0, 1,    0};  // blank, "b"
  auto outputs = Run(R"({"step":"read"})", {Make("probabilities", DType::kFp32, {2, 2, 4}, two)});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  const std::string texts(static_cast<const char*>((*outputs)[0].buffer.data()), (*outputs)[0].buffer.size());
  EXPECT_EQ(texts, std::string("\2\0\0\0ab\1\0\0\0b", 11));
  EXPECT_FLOAT_EQ(static_cast<const float*>((*outputs)[1].buffer.data())[0], 0.75F);
}

TEST_F(PageOcrTest, JoinMakesLinesAndLeavesOutWhatIsUnsure) {
  const std::string bytes("\2\0\0\0ab\1\0\0\0c\1\0\0\0x\0\0\0\0", 20);
  std::vector<float> boxes;
  for (int i = 0; i < 3; ++i) boxes.insert(boxes.end(), kBox.begin(), kBox.end());
  std::vector<Tensor> inputs{Make("text", DType::kBytes, {4}, std::vector<char>(bytes.begin(), bytes.end())),
                             Make<float>("score", DType::kFp32, {4}, {0.9F, 0.6F, 0.2F, 0}),
                             Make<int32_t>("line", DType::kInt32, {4}, {0, 0, 1, 2}),
                             Make("box", DType::kFp32, {3, 4, 2}, boxes)};
  auto outputs = Run(R"({"step":"join"})", inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  const std::string texts(static_cast<const char*>((*outputs)[0].buffer.data()), (*outputs)[0].buffer.size());
  EXPECT_EQ(texts, std::string("\4\0\0\0ab c", 8));
  EXPECT_NEAR(static_cast<const float*>((*outputs)[1].buffer.data())[0], 0.8F, 1e-6);
  EXPECT_EQ((*outputs)[2].shape, (Shape{1, 4, 2}));

  inputs[2] = Make<int32_t>("line", DType::kInt32, {4}, {0, 0, 1, 3});
  EXPECT_THAT(Run(R"({"step":"join"})", inputs).status().text(), HasSubstr("line 3, there are 3 boxes"));
  inputs[2] = Make<int32_t>("line", DType::kInt32, {1}, {0});
  EXPECT_THAT(Run(R"({"step":"join"})", inputs).status().text(),
              HasSubstr("\"line\" has 1 rows, expected 4"));
}

}  // namespace
}  // namespace snug::engine
