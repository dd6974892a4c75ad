#include "serving/padding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "serving/testing/fakes.h"

namespace snug::serving {
namespace {

using repository::PaddingConfig;
using testing::ElementsAre;
using testing::HasSubstr;

// Tokens and their mask share a length; an image's width is another one.
engine::ModelInfo Info() {
  engine::ModelInfo info;
  info.inputs = {{"ids", DType::kInt64, {-1, -1}},
                 {"mask", DType::kBool, {-1, -1}},
                 {"image", DType::kFp32, {-1, 3, -1}},
                 {"text", DType::kBytes, {-1, -1}}};
  info.outputs = {{"y", DType::kFp32, {-1, -1, 4}}, {"columns", DType::kFp32, {-1, -1}}};
  info.batch_is_free = true;
  return info;
}

const PaddingConfig kTokens{{4, 8}, {{"ids", 1, 0}, {"mask", 1, 0}}, {{"y", 1, 1}}};
const PaddingConfig kWidth{{16, 32, 64}, {{"image", 2, -1}}, {{"columns", 1, 8}}};

Padding Make(const std::vector<PaddingConfig>& config) {
  auto padding = Padding::Make(config, Info());
  EXPECT_TRUE(padding.ok()) << padding.status().ToString();
  return padding.ok() ? *std::move(padding) : Padding();
}

std::vector<Tensor> Request(int64_t ids, int64_t mask, int64_t width) {
  return {{"ids", DType::kInt64, {1, ids}, {}},
          {"mask", DType::kBool, {1, mask}, {}},
          {"image", DType::kFp32, {1, 3, width}, {}},
          {"text", DType::kBytes, {1, 5}, {}}};
}

struct BucketRow {
  int64_t own, padded;
};

TEST(Padding, TakesTheSmallestBucketThatHoldsIt) {
  const Padding padding = Make({kTokens, kWidth});
  for (auto [own, padded] : {BucketRow{0, 16}, {1, 16}, {16, 16}, {17, 32}, {64, 64}}) {
    auto lengths = padding.LengthsOf(Request(3, 3, own));
    ASSERT_TRUE(lengths.ok()) << lengths.status().ToString();
    EXPECT_THAT(lengths->own, ElementsAre(3, own));
    EXPECT_THAT(lengths->padded, ElementsAre(4, padded));
    EXPECT_EQ(padding.InputShape(0, {1, 3}, *lengths), (Shape{1, 4}));
    EXPECT_EQ(padding.InputShape(2, {1, 3, own}, *lengths), (Shape{1, 3, padded}));
    EXPECT_EQ(padding.InputShape(3, {1, 5}, *lengths), (Shape{1, 5})) << "has none of the lengths";
  }
  EXPECT_TRUE(padding.LengthsOf(Request(4, 4, 32))->fit());
}

TEST(Padding, SaysWhatIsTooLongAndWhatDisagrees) {
  const Padding padding = Make({kTokens, kWidth});
  const Status too_long = padding.LengthsOf(Request(3, 3, 65)).status();
  EXPECT_EQ(too_long.code(), Code::kInvalidArgument);
  EXPECT_THAT(too_long.text(), HasSubstr("input \"image\" has 65 at dimension 2; at most 64 is taken "
                                         "(batching.padding in model.yaml has the buckets 16, 32, 64)"));
  EXPECT_THAT(
      padding.LengthsOf(Request(3, 2, 9)).status().text(),
      HasSubstr(
          "input \"ids\" has 3 at dimension 1 and input \"mask\" 2 at dimension 1; they must be equal"));
}

TEST(Padding, OutputsFollowTheirLength) {
  const Padding padding = Make({kTokens, kWidth});
  const Lengths lengths = *padding.LengthsOf(Request(3, 3, 17));
  EXPECT_EQ(padding.OutputShape(0, {1, 4, 4}, lengths), (Shape{1, 3, 4}));
  EXPECT_EQ(padding.OutputShape(1, {1, 4}, lengths), (Shape{1, 3}))
      << "17 columns, one for each 8, rounded up";
  EXPECT_TRUE(padding.CheckOutput(1, {"columns", DType::kFp32, {1, 4}, {}}, lengths).ok());
  const Status wrong = padding.CheckOutput(1, {"columns", DType::kFp32, {1, 5}, {}}, lengths);
  EXPECT_EQ(wrong.code(), Code::kInternal);
  EXPECT_THAT(wrong.text(), HasSubstr("output \"columns\" of a request padded to 32 has the shape [1,5], "
                                      "expected 4 at dimension 1"));
}

TEST(Padding, DeclaresItsBuckets) {
  const Padding padding = Make({kTokens, kWidth});
  EXPECT_EQ(padding.buckets(), 3U);
  EXPECT_EQ(padding.SpecsAt(0)[2].shape, (Shape{-1, 3, 16}));
  EXPECT_EQ(padding.SpecsAt(2)[2].shape, (Shape{-1, 3, 64}));
  EXPECT_EQ(padding.SpecsAt(2)[1].shape, (Shape{-1, 8})) << "it has only two";
  EXPECT_EQ(padding.SpecsAt(2)[3].shape, (Shape{-1, -1}));
}

TEST(Padding, RefusesWhatTheModelDoesNotHave) {
  struct Row {
    PaddingConfig config;
    const char* text;
  };
  for (const Row& row : std::vector<Row>{
           {{{4}, {{"id", 1, 0}}, {}}, "the model has no input \"id\"; it has: ids INT64 [-1,-1]"},
           {{{4}, {{"ids", 2, 0}}, {}}, "dimension 2 of input ids INT64 [-1,-1] is not free"},
           {{{4}, {{"image", 1, 0}}, {}}, "dimension 1 of input image FP32 [-1,3,-1] is not free"},
           {{{4}, {{"text", 1, 0}}, {}}, "it holds texts"},
           {{{4}, {{"ids", 1, 0}, {"ids", 1, 0}}, {}}, "dimension 1 of input \"ids\" is named twice"},
           {{{4}, {{"ids", 1, 0.5}}, {}}, "input \"ids\" is INT64, which cannot hold the value 0.5"},
           {{{4}, {{"mask", 1, 2}}, {}}, "input \"mask\" is BOOL, which cannot hold the value 2"},
           {{{4}, {{"ids", 1, 0}}, {{"z", 1, 1}}}, "the model has no output \"z\""},
           {{{4}, {{"ids", 1, 0}}, {{"y", 2, 1}}}, "dimension 2 of output y FP32 [-1,-1,4] is not free"},
       }) {
    auto padding = Padding::Make(std::span(&row.config, 1), Info());
    ASSERT_FALSE(padding.ok()) << row.text;
    EXPECT_EQ(padding.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(padding.status().text(), HasSubstr(row.text));
  }
}

struct ElementRow {
  DType dtype;
  double value;
  std::vector<uint8_t> bytes;  // empty: it cannot be held
};

TEST(Padding, WritesTheValueInTheDatatype) {
  for (const ElementRow& row : std::vector<ElementRow>{
           {DType::kInt8, -1, {0xFF}},
           {DType::kUint8, -1, {}},
           {DType::kUint16, 258, {2, 1}},
           {DType::kInt32, -2, {0xFE, 0xFF, 0xFF, 0xFF}},
           {DType::kFp32, 1, {0, 0, 0x80, 0x3F}},
           {DType::kBf16, -1, {0x80, 0xBF}},
           {DType::kBf16, 1.006, {0x81, 0x3F}},
           {DType::kFp16, 1, {0, 0x3C}},
           {DType::kFp16, -2.5, {0, 0xC1}},
           {DType::kFp16, 65504, {0xFF, 0x7B}},
           {DType::kFp16, 65536, {}},
           {DType::kFp16, 4095.9, {0, 0x6C}},
           {DType::kFp16, 0.00006103515625, {0, 0x04}},
           {DType::kFp16, 1e-7, {0, 0}},
           {DType::kBool, 1, {1}},
       }) {
    engine::ModelInfo info;
    info.inputs = {{"x", row.dtype, {-1, -1}}};
    const PaddingConfig config{{4}, {{"x", 1, row.value}}, {}};
    auto padding = Padding::Make(std::span(&config, 1), info);
    const std::string place = fmt::format("{} {}", DTypeName(row.dtype), row.value);
    ASSERT_EQ(padding.ok(), !row.bytes.empty()) << place;
    if (!padding.ok()) continue;
    EXPECT_EQ(padding->Filler(0), std::string(row.bytes.begin(), row.bytes.end())) << place;
  }
}

TEST(Padding, ALoneRequestIsFilledUp) {
  engine::ModelInfo info;
  info.inputs = {{"x", DType::kFp32, {-1, -1}}};
  const PaddingConfig config{{4}, {{"x", 1, 9}}, {}};
  const Padding padding = *Padding::Make(std::span(&config, 1), info);
  std::vector<Tensor> inputs{Floats("x", {2, 3}, {1, 2, 3, 4, 5, 6})};
  const Lengths lengths = *padding.LengthsOf(inputs);
  auto padded = PadInputs(std::move(inputs), padding, lengths);
  ASSERT_TRUE(padded.ok()) << padded.status().ToString();
  EXPECT_EQ((*padded)[0].shape, (Shape{2, 4}));
  EXPECT_THAT(Values((*padded)[0]), ElementsAre(1, 2, 3, 9, 4, 5, 6, 9));
}

}  // namespace
}  // namespace snug::serving
