#include "serving/batch_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "serving/testing/fakes.h"

namespace snug::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Tensor Texts(const std::vector<std::string>& texts) {
  std::string bytes;
  for (const std::string& text : texts) {
    const auto length = static_cast<uint32_t>(text.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
  }
  Buffer buffer = Buffer::Allocate(bytes.size());
  std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return {"t", DType::kBytes, {static_cast<int64_t>(texts.size())}, std::move(buffer)};
}

std::string Bytes(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.buffer.data()), tensor.buffer.size()};
}

TEST(BatchTensors, RowsAndSignature) {
  auto shape = [](const Shape& dims) {
    return BatchShapeOf(std::vector<Tensor>{{"x", DType::kFp32, dims, {}}});
  };
  EXPECT_EQ(shape({3, 2}).rows, 3);
  EXPECT_EQ(shape({3, 2}).signature, shape({5, 2}).signature);
  EXPECT_NE(shape({3, 2}).signature, shape({3, 4}).signature);
  EXPECT_NE(shape({3, 2}).signature, shape({3, 2, 1}).signature);
  EXPECT_EQ(shape({}).rows, 0);
  EXPECT_EQ(BatchShapeOf({}).rows, 0);
  std::vector<Tensor> unequal{{"x", DType::kFp32, {2, 2}, {}}, {"y", DType::kFp32, {3}, {}}};
  EXPECT_EQ(BatchShapeOf(unequal).rows, 0);
}

TEST(BatchTensors, JoinsPadsAndCutsApart) {
  std::vector<Tensor> parts{Floats("x", {1, 2}, {1, 2}), Floats("x", {2, 2}, {3, 4, 5, 6})};
  auto joined = JoinRows(parts, 5);
  ASSERT_TRUE(joined.ok()) << joined.status().ToString();
  EXPECT_THAT(joined->shape, ElementsAre(5, 2));
  EXPECT_THAT(Values(*joined), ElementsAre(1, 2, 3, 4, 5, 6, 5, 6, 5, 6));
  Tensor slice = SliceRows(*joined, 1, 2);
  EXPECT_THAT(slice.shape, ElementsAre(2, 2));
  EXPECT_THAT(Values(slice), ElementsAre(3, 4, 5, 6));
  EXPECT_EQ(slice.buffer.data(), static_cast<float*>(joined->buffer.data()) + 2) << "a view, no copy";
}

TEST(BatchTensors, ASliceKeepsTheMemory) {
  Tensor slice;
  {
    Tensor whole = Floats("x", {2, 1}, {1, 2});
    slice = SliceRows(whole, 1, 1);
  }
  EXPECT_THAT(Values(slice), ElementsAre(2));
}

TEST(BatchTensors, TextsHaveTheirOwnLengths) {
  std::vector<Tensor> parts{Texts({"a", ""}), Texts({"long text"})};
  auto joined = JoinRows(parts, 4);
  ASSERT_TRUE(joined.ok()) << joined.status().ToString();
  EXPECT_EQ(Bytes(*joined), Bytes(Texts({"a", "", "long text", "long text"})));
  EXPECT_EQ(Bytes(SliceRows(*joined, 1, 2)), Bytes(Texts({"", "long text"})));
}

TEST(BatchTensors, WhatDiffersIsNotJoined) {
  std::vector<Tensor> parts{Floats("x", {1, 2}, {1, 2}), Floats("x", {1, 1}, {3})};
  EXPECT_THAT(JoinRows(parts, 2).status().text(), HasSubstr("FP32 [1,1] cannot be joined with FP32 [1,2]"));
  EXPECT_THAT(JoinRows(std::span(parts).first(1), 0).status().text(), HasSubstr("do not fit"));
}

TEST(BatchTensors, JoinsUnequalLengths) {
  const float pad = 9;
  const std::string filler(reinterpret_cast<const char*>(&pad), sizeof pad);
  std::vector<Tensor> parts{Floats("x", {1, 1, 2}, {1, 2}), Floats("x", {1, 2, 3}, {3, 4, 5, 6, 7, 8})};
  auto joined = JoinPadded(parts, 3, {1, 2, 3}, filler);
  ASSERT_TRUE(joined.ok()) << joined.status().ToString();
  EXPECT_THAT(joined->shape, ElementsAre(3, 2, 3));
  EXPECT_THAT(Values(*joined), ElementsAre(1, 2, 9, 9, 9, 9,  //
                                           3, 4, 5, 6, 7, 8,  //
                                           3, 4, 5, 6, 7, 8));
  EXPECT_THAT(JoinPadded(parts, 3, {1, 2, 2}, filler).status().text(),
              HasSubstr("FP32 [1,2,3] does not fit into FP32 [3,2,2]"));
  EXPECT_FALSE(JoinPadded(parts, 1, {1, 2, 3}, filler).ok());
}

TEST(BatchTensors, FillsUpWhatIsEmpty) {
  const float pad = 9;
  const std::string filler(reinterpret_cast<const char*>(&pad), sizeof pad);
  auto joined = JoinPadded(std::vector<Tensor>{Floats("x", {1, 0}, {})}, 1, {1, 2}, filler);
  ASSERT_TRUE(joined.ok()) << joined.status().ToString();
  EXPECT_THAT(Values(*joined), ElementsAre(9, 9));
}

TEST(BatchTensors, CutsTheCornerOff) {
  const Tensor whole = Floats("y", {2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  EXPECT_THAT(Values(Corner(whole, {2, 1, 2})), ElementsAre(1, 2, 7, 8));
  EXPECT_THAT(Values(Corner(whole, {2, 1, 3})), ElementsAre(1, 2, 3, 7, 8, 9));
  EXPECT_EQ(Corner(whole, {2, 2, 3}).buffer.data(), whole.buffer.data());
  const Tensor row = SliceRows(whole, 1, 1);
  const Tensor first = Corner(row, {1, 1, 3});
  EXPECT_THAT(Values(first), ElementsAre(7, 8, 9));
  EXPECT_EQ(first.buffer.data(), row.buffer.data()) << "a view, no copy";
  EXPECT_THAT(Values(Corner(row, {1, 2, 1})), ElementsAre(7, 10));
  EXPECT_THAT(Corner(row, {1, 0, 3}).buffer.size(), 0U);
}

}  // namespace
}  // namespace snug::serving
