#include "base/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace snug {
namespace {

TEST(TensorTest, NamesRoundTrip) {
  for (int32_t i = 1; i <= 14; ++i) {
    ASSERT_TRUE(IsValidDType(i));
    EXPECT_EQ(DTypeFromName(DTypeName(static_cast<DType>(i))), static_cast<DType>(i));
  }
  EXPECT_FALSE(IsValidDType(0));
  EXPECT_FALSE(IsValidDType(15));
  EXPECT_FALSE(DTypeFromName("FLOAT"));
}

TEST(TensorTest, ElementCountRefusesWhatDoesNotFit) {
  EXPECT_EQ(ElementCount({2, 3}), 6u);
  EXPECT_EQ(ElementCount({}), 1u);
  EXPECT_EQ(ElementCount({0, 5}), 0u);
  EXPECT_FALSE(ElementCount({-1, 5}));
  EXPECT_FALSE(ElementCount({std::numeric_limits<int64_t>::max(), 4}));
}

TEST(TensorTest, ShapesFitFreeDimensions) {
  EXPECT_TRUE(ShapeFits({7, 16}, {-1, 16}));
  EXPECT_FALSE(ShapeFits({7, 15}, {-1, 16}));
  EXPECT_FALSE(ShapeFits({7}, {-1, 16}));
}

TEST(TensorTest, ChecksByteCounts) {
  float data[6] = {};
  EXPECT_TRUE(CheckTensorBytes("x", DType::kFp32, {2, 3}, data, 24).ok());
  Status s = CheckTensorBytes("x", DType::kFp32, {2, 3}, data, 20);
  EXPECT_EQ(s.text(), "tensor \"x\": FP32 [2,3] needs 24 bytes, got 20");
  EXPECT_FALSE(CheckTensorBytes("x", DType::kFp64, {std::numeric_limits<int64_t>::max()}, data, 24).ok());
}

TEST(TensorTest, WalksBytesElements) {
  const char good[] = "\3\0\0\0abc\0\0\0\0";
  EXPECT_TRUE(CheckTensorBytes("s", DType::kBytes, {2}, good, 11).ok());
  EXPECT_FALSE(CheckTensorBytes("s", DType::kBytes, {1}, good, 11).ok());
  EXPECT_FALSE(CheckTensorBytes("s", DType::kBytes, {3}, good, 11).ok());
  EXPECT_FALSE(CheckTensorBytes("s", DType::kBytes, {2}, good, 6).ok());
}

TEST(TensorTest, SaysWhatWasExpected) {
  TensorView view{"x", DType::kFp32, {1, 15}, nullptr, 60};
  EXPECT_EQ(CheckTensorSpec(view, {"x", DType::kFp32, {-1, 16}}).text(),
            "input \"x\": expected shape [-1,16] (-1 is free), got [1,15]");
  EXPECT_EQ(CheckTensorSpec(view, {"x", DType::kInt64, {-1, 16}}).text(),
            "input \"x\": expected datatype INT64, got FP32");
}

TEST(TensorTest, BuffersAreAligned) {
  for (size_t bytes : {0, 1, 63, 64, 65}) {
    Buffer buffer = Buffer::Allocate(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    EXPECT_EQ(buffer.size(), bytes);
  }
}

}  // namespace
}  // namespace snug
