// The plug-in as the server sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "ocr/test_images.h"
#include "parsers/parser_host.h"

namespace snug::parsers {
namespace {

using nlohmann::json;
using testing::HasSubstr;

ParserRequest Request() {
  ParserRequest request;
  request.parser = "page_ocr";
  request.model_name = "page";
  request.directory = "/tmp";
  request.inputs = {{"image", DType::kUint8, {-1, -1, 3}}};
  request.outputs = {
      {"box", DType::kFp32, {-1, 4, 2}}, {"text", DType::kBytes, {-1}}, {"score", DType::kFp32, {-1}}};
  return request;
}

Result<std::unique_ptr<Parser>> Make(const ParserRequest& request) {
  static const auto host = ParserHost::Create({SNUG_TEST_PLUGIN_DIR});
  return host->CreateParser(request);
}

TEST(PageOcrParser, SaysWhatItNeeds) {
  ParserRequest request = Request();
  request.inputs[0].dtype = DType::kFp32;
  EXPECT_THAT(Make(request).status().text(), HasSubstr("needs one input: image UINT8 [-1,-1,3]"));
  request = Request();
  request.outputs.pop_back();
  EXPECT_THAT(Make(request).status().text(), HasSubstr("needs an output \"score\" of FP32"));
  request = Request();
  request.options_json = R"({"chars":true})";
  EXPECT_THAT(Make(request).status().text(), HasSubstr("has none"));
}

TEST(PageOcrParser, FromAnImageToLines) {
  auto parser = Make(Request());
  ASSERT_TRUE(parser.ok()) << parser.status().ToString();
  const ocr::Image image = ocr::TestImage(30, 20);
  const ocr::Bytes file = ocr::WritePng(image);
  auto parsed =
      (*parser)->Parse({"image/png", {reinterpret_cast<const char*>(file.data()), file.size()}, nullptr});
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  const Tensor& input = (*parsed)->inputs()[0];
  EXPECT_EQ(input.shape, (Shape{20, 30, 3}));
  EXPECT_EQ(std::memcmp(input.buffer.data(), image.pixels.get(), input.buffer.size()), 0);

  const std::vector<float> box{1, 2, 11.4F, 2, 11, 8, 1, 8}, score{0.98767F};
  const std::string text("\3\0\0\0a\"b", 7);
  const TensorView outputs[] = {{"box", DType::kFp32, {1, 4, 2}, box.data(), box.size() * 4},
                                {"text", DType::kBytes, {1}, text.data(), text.size()},
                                {"score", DType::kFp32, {1}, score.data(), 4}};
  auto answer = (*parsed)->Format(outputs);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(json::parse(answer->data), json::parse(R"({"text":"a\"b","width":30,"height":20,"lines":[
      {"text":"a\"b","score":0.9877,"box":[[1,2],[11,2],[11,8],[1,8]]}]})"));
}

TEST(PageOcrParser, RefusesWhatIsNoImageAndOutputsOfUnequalLength) {
  auto parser = Make(Request());
  ASSERT_TRUE(parser.ok());
  EXPECT_EQ((*parser)->Parse({"", "no image", nullptr}).status().code(), Code::kInvalidArgument);
  const ocr::Bytes file = ocr::WritePng(ocr::TestImage(3, 3));
  auto parsed = (*parser)->Parse({"", {reinterpret_cast<const char*>(file.data()), file.size()}, nullptr});
  ASSERT_TRUE(parsed.ok());
  const TensorView outputs[] = {{"box", DType::kFp32, {0, 4, 2}, nullptr, 0},
                                {"text", DType::kBytes, {0}, nullptr, 0},
                                {"score", DType::kFp32, {1}, "abcd", 4}};
  EXPECT_THAT((*parsed)->Format(outputs).status().text(), HasSubstr("another number of scores or boxes"));
}

}  // namespace
}  // namespace snug::parsers
