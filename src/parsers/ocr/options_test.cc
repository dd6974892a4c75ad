#include "parsers/ocr/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace snug::ocr {
namespace {

using testing::HasSubstr;

TEST(Options, DefaultsAndEveryKey) {
  auto none = ParseOptions("{}");
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->dictionary, "dict.txt");
  EXPECT_FALSE(none->chars);
  auto all =
      ParseOptions(R"({"dictionary":"d/x.txt","chars":true,"height":32,"width":640,"own_width":true})");
  ASSERT_TRUE(all.ok()) << all.status().ToString();
  EXPECT_EQ(all->dictionary, "d/x.txt");
  EXPECT_TRUE(all->chars);
  EXPECT_EQ(all->height, 32);
  EXPECT_EQ(all->width, 640);
  EXPECT_TRUE(all->own_width);
}

TEST(Options, SaysWhatIsWrong) {
  auto text = [](const char* json) { return ParseOptions(json).status().text(); };
  EXPECT_THAT(text(R"({"dict":"x"})"),
              HasSubstr("unknown parser option \"dict\"; known ones: dictionary, chars"));
  EXPECT_THAT(text(R"({"dictionary":3})"), HasSubstr("\"dictionary\": expected a file's name, got 3"));
  EXPECT_THAT(text(R"({"dictionary":""})"), HasSubstr("expected a file's name"));
  EXPECT_THAT(text(R"({"chars":"yes"})"), HasSubstr("\"chars\": expected true or false, got \"yes\""));
  EXPECT_THAT(text(R"({"height":0})"), HasSubstr("expected a whole number from 1 to 8192, got 0"));
  EXPECT_THAT(text(R"({"width":99999999999})"), HasSubstr("expected a whole number"));
  EXPECT_THAT(text("[]"), HasSubstr("expected a JSON object"));
  EXPECT_THAT(text("{"), HasSubstr("expected a JSON object"));
  EXPECT_TRUE(*ParseSwitch("chars", "true"));
  EXPECT_FALSE(*ParseSwitch("chars", "0"));
  EXPECT_THAT(ParseSwitch("chars", "maybe").status().text(),
              HasSubstr("expected true or false, got \"maybe\""));
}

Result<Target> TargetFor(Shape shape, DType dtype = DType::kFp32) {
  return TargetOf({"x", dtype, std::move(shape)}, {.height = 40, .width = 200});
}

TEST(Target, FollowsTheModelsInput) {
  auto nchw = TargetFor({-1, 3, 48, 320});
  ASSERT_TRUE(nchw.ok());
  EXPECT_EQ(nchw->layout, Layout::kNchw);
  EXPECT_EQ(nchw->height, 48);
  EXPECT_EQ(nchw->width, 320);
  auto nhwc = TargetFor({1, 48, 320, 3});
  ASSERT_TRUE(nhwc.ok());
  EXPECT_EQ(nhwc->layout, Layout::kNhwc);
  EXPECT_EQ(nhwc->width, 320);
  auto free = TargetFor({-1, 3, -1, -1});
  ASSERT_TRUE(free.ok());
  EXPECT_EQ(free->height, 40);
  EXPECT_EQ(free->width, 200);
}

TEST(Target, RefusesOtherModels) {
  for (const Shape& shape : std::vector<Shape>{
           {3, 48, 320}, {2, 3, 48, 320}, {1, 1, 48, 320}, {1, 3, 0, 320}, {1, 3, 48, 9000}, {}}) {
    EXPECT_EQ(TargetFor(shape).status().code(), Code::kFailedPrecondition) << ShapeText(shape);
  }
  EXPECT_THAT(TargetFor({1, 3, 48, 320}, DType::kUint8).status().text(),
              HasSubstr("input \"x\" is UINT8 [1,3,48,320]"));
}

TEST(Output, HasAClassForEachEntryAndTwoMore) {
  auto check = [](Shape shape, DType dtype = DType::kFp32) {
    return CheckOutputSpec({"y", dtype, std::move(shape)}, 5);
  };
  EXPECT_TRUE(check({1, 40, 5}).ok());
  EXPECT_TRUE(check({-1, -1, -1}).ok());
  EXPECT_TRUE(check({40, 5}).ok());
  EXPECT_THAT(check({1, 40, 6}).text(),
              HasSubstr("the dictionary has 3 entries, so the model should tell 5 classes"));
  EXPECT_EQ(check({1, 40, 6}).code(), Code::kFailedPrecondition);
  EXPECT_FALSE(check({2, 40, 5}).ok());
  EXPECT_FALSE(check({5}).ok());
  EXPECT_FALSE(check({1, 40, 5}, DType::kFp16).ok());
}

}  // namespace
}  // namespace snug::ocr
