// The plug-in as the server sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ocr/resize.h"
#include "ocr/test_images.h"
#include "parsers/parser_host.h"

namespace snug::ocr {
namespace {

using nlohmann::json;
using parsers::ParserRequest;
using testing::HasSubstr;

class OcrParserTest : public testing::Test {
 protected:
  OcrParserTest() {
    if (::mkdtemp(directory_.data()) == nullptr) ADD_FAILURE() << "mkdtemp";
    Write("dict.txt", "a\n\"\n€\n");
    request_.parser = "ocr";
    request_.model_name = "m";
    request_.directory = directory_;
    request_.inputs = {{"x", DType::kFp32, {1, 3, 48, 320}}};
    request_.outputs = {{"y", DType::kFp32, {-1, -1, 5}}};
  }
  ~OcrParserTest() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& name, const std::string& content) const {
    std::ofstream(directory_ + "/" + name, std::ios::binary) << content;
  }
  Result<std::unique_ptr<parsers::Parser>> Make() { return host_->CreateParser(request_); }
  Status MakeStatus() { return Make().status(); }

  std::string directory_ = testing::TempDir() + "snug-ocr-XXXXXX";
  ParserRequest request_;
  std::unique_ptr<parsers::ParserHost> host_ = parsers::ParserHost::Create({SNUG_TEST_PLUGIN_DIR});
};

// "a€" with scores 0.9 and 0.5.
const std::vector<float> kOutput{0, 0.9F, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0.5F, 0};

TEST_F(OcrParserTest, ImageToTensorToText) {
  auto parser = Make();
  ASSERT_TRUE(parser.ok()) << parser.status().ToString();
  const Image image = TestImage(145, 28);
  const std::string file = AsString(WritePng(image));
  auto parsed = (*parser)->Parse({"image/png", file});
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  const Tensor& x = (*parsed)->inputs()[0];
  EXPECT_EQ(x.shape, (Shape{1, 3, 48, 320}));
  std::vector<float> expected(size_t{3} * 48 * 320);
  ResizeNormalize(image, {}, expected.data());
  EXPECT_EQ(std::memcmp(x.buffer.data(), expected.data(), x.buffer.size()), 0);

  std::vector<TensorView> outputs{{"y", DType::kFp32, {1, 3, 5}, kOutput.data(), kOutput.size() * 4}};
  auto answer = (*parsed)->Format(outputs);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->content_type, "application/json");
  EXPECT_EQ(answer->data, R"({"text":"a€","score":0.7,"width":145,"height":28})");
}

TEST_F(OcrParserTest, CharsByOptionAndByParameter) {
  request_.options_json = R"({"chars": true})";
  auto parser = Make();
  ASSERT_TRUE(parser.ok()) << parser.status().ToString();
  const std::string file = AsString(WriteJpeg(TestImage(60, 20)));
  std::vector<TensorView> outputs{{"y", DType::kFp32, {1, 3, 5}, kOutput.data(), kOutput.size() * 4}};
  auto with = (*parser)->Parse({"", file});
  ASSERT_TRUE(with.ok()) << with.status().ToString();
  EXPECT_EQ(json::parse((*with)->Format(outputs)->data)["chars"],
            json::parse(R"([{"char":"a","score":0.9,"step":0},{"char":"€","score":0.5,"step":2}])"));
  std::map<std::string, std::string> off{{"chars", "false"}, {"unknown", "ignored"}};
  auto without = (*parser)->Parse({"", file, &off});
  ASSERT_TRUE(without.ok());
  EXPECT_FALSE(json::parse((*without)->Format(outputs)->data).contains("chars"));
  std::map<std::string, std::string> bad{{"chars", "maybe"}};
  EXPECT_EQ((*parser)->Parse({"", file, &bad}).status().code(), Code::kInvalidArgument);
}

TEST_F(OcrParserTest, ServesNhwcAndFlatOutputs) {
  request_.inputs[0].shape = {-1, 48, 320, 3};
  request_.outputs[0].shape = {3, 5};
  auto parser = Make();
  ASSERT_TRUE(parser.ok()) << parser.status().ToString();
  auto parsed = (*parser)->Parse({"", AsString(WritePng(TestImage(10, 10)))});
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  EXPECT_EQ((*parsed)->inputs()[0].shape, (Shape{1, 48, 320, 3}));
  std::vector<TensorView> outputs{{"y", DType::kFp32, {3, 5}, kOutput.data(), kOutput.size() * 4}};
  EXPECT_EQ(json::parse((*parsed)->Format(outputs)->data)["text"], "a€");
}

TEST_F(OcrParserTest, AFreeWidthMayBeTheLinesOwn) {
  request_.options_json = R"({"own_width":true})";
  EXPECT_THAT(MakeStatus().text(),
              HasSubstr("\"own_width\": input \"x\" is [1,3,48,320], its width is not free"));
  request_.inputs[0].shape = {-1, 3, 48, -1};
  auto parser = Make();
  ASSERT_TRUE(parser.ok()) << parser.status().ToString();
  const Image image = TestImage(145, 28);
  auto parsed = (*parser)->Parse({"", AsString(WritePng(image))});
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  const Tensor& x = (*parsed)->inputs()[0];
  EXPECT_EQ(x.shape, (Shape{1, 3, 48, 249}));
  std::vector<float> expected(size_t{3} * 48 * 249);
  ResizeNormalize(image, {48, 249, Layout::kNchw}, expected.data());
  EXPECT_EQ(std::memcmp(x.buffer.data(), expected.data(), x.buffer.size()), 0);
  auto wide = (*parser)->Parse({"", AsString(WritePng(TestImage(1000, 28)))});
  ASSERT_TRUE(wide.ok()) << wide.status().ToString();
  EXPECT_EQ((*wide)->inputs()[0].shape, (Shape{1, 3, 48, 320}));
}

TEST_F(OcrParserTest, BadPayloadsAreTheClientsFault) {
  auto parser = Make();
  ASSERT_TRUE(parser.ok());
  for (const std::string& payload :
       {std::string(), std::string("hello"), AsString(WritePng(TestImage(9, 9))).substr(0, 60)}) {
    auto parsed = (*parser)->Parse({"image/png", payload});
    EXPECT_EQ(parsed.status().code(), Code::kInvalidArgument) << parsed.status().ToString();
  }
  EXPECT_THAT((*parser)->Parse({"", "hello"}).status().text(),
              HasSubstr("expected a PNG or JPEG image, got 5 bytes"));
}

TEST_F(OcrParserTest, ModelsAndDictionariesThatDoNotFit) {
  request_.outputs[0].shape = {1, 40, 6625};
  EXPECT_EQ(MakeStatus().code(), Code::kFailedPrecondition);
  EXPECT_THAT(MakeStatus().text(), HasSubstr("the dictionary has 3 entries"));
  request_.outputs[0].shape = {1, -1, -1};
  auto parser = Make();
  ASSERT_TRUE(parser.ok());
  auto parsed = (*parser)->Parse({"", AsString(WritePng(TestImage(9, 9)))});
  ASSERT_TRUE(parsed.ok());
  const std::vector<float> six(6);
  std::vector<TensorView> outputs{{"y", DType::kFp32, {1, 1, 6}, six.data(), 24}};
  EXPECT_EQ((*parsed)->Format(outputs).status().code(), Code::kFailedPrecondition);

  request_.outputs.push_back(request_.outputs[0]);
  EXPECT_THAT(MakeStatus().text(), HasSubstr("one input and one output, this has 1 and 2"));
  request_.outputs.pop_back();
  request_.options_json = R"({"dictionary":"other.txt"})";
  EXPECT_EQ(MakeStatus().code(), Code::kNotFound);
  Write("other.txt", "a\n\xff\n");
  EXPECT_THAT(MakeStatus().text(), HasSubstr("dictionary \"other.txt\": line 2"));
}

TEST_F(OcrParserTest, DictionaryStaysInTheModelsDirectory) {
  for (const char* name : {"/etc/passwd", "../../../../../../etc/passwd", "link"}) {
    std::error_code ignored;
    std::filesystem::create_symlink("/etc/passwd", directory_ + "/link", ignored);
    request_.options_json = json{{"dictionary", name}}.dump();
    EXPECT_EQ(MakeStatus().code(), Code::kPermissionDenied) << name << MakeStatus().text();
  }
  std::filesystem::create_directory(directory_ + "/d");
  request_.options_json = R"({"dictionary":"d"})";
  EXPECT_THAT(MakeStatus().text(), HasSubstr("is not a file"));
}

}  // namespace
}  // namespace snug::ocr
