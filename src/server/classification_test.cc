#include "server/classification.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "serving/testing/fakes.h"

namespace snug::server {
namespace {

std::vector<std::string> Strings(const Tensor& tensor) {
  EXPECT_TRUE(
      CheckTensorBytes("y", DType::kBytes, tensor.shape, tensor.buffer.data(), tensor.buffer.size()).ok());
  std::vector<std::string> strings;
  const auto* at = static_cast<const char*>(tensor.buffer.data());
  const char* end = at + tensor.buffer.size();
  while (at < end) {
    uint32_t length = 0;
    std::memcpy(&length, at, sizeof length);
    strings.emplace_back(at + sizeof length, length);
    at += sizeof length + length;
  }
  return strings;
}

TEST(Classification, HighestOfEachRow) {
  const Tensor scores = serving::Floats("y", {2, 3}, {.5f, 2, -1, NAN, 7, 7});
  auto classes = Classify(scores, 2, true);
  ASSERT_TRUE(classes.ok());
  EXPECT_EQ(classes->shape, (Shape{2, 2}));
  EXPECT_EQ(Strings(*classes),
            (std::vector<std::string>{"2.000000:1", "0.500000:0", "7.000000:1", "7.000000:2"}));
}

TEST(Classification, WithoutBatchAndFewerThanAskedFor) {
  Tensor scores{"y", DType::kInt8, {2, 2}, Buffer::Allocate(4)};
  std::memcpy(scores.buffer.data(), "\1\4\2\xff", 4);
  auto classes = Classify(scores, INT64_MAX, false);
  ASSERT_TRUE(classes.ok());
  EXPECT_EQ(classes->shape, (Shape{4}));
  EXPECT_EQ(Strings(*classes), (std::vector<std::string>{"4:1", "2:2", "1:0", "-1:3"}));
}

TEST(Classification, NamesWhereThereAreAny) {
  const std::vector<std::string> names{"cat", "dog"};
  auto classes = Classify(serving::Floats("y", {3}, {1, 2, 3}), 3, false, names);
  EXPECT_EQ(Strings(*classes), (std::vector<std::string>{"3.000000:2", "2.000000:1:dog", "1.000000:0:cat"}));
}

TEST(Classification, NanComesLastAndEmptyStaysEmpty) {
  auto classes = Classify(serving::Floats("y", {3}, {NAN, -INFINITY, NAN}), 3, false);
  EXPECT_EQ(Strings(*classes), (std::vector<std::string>{"-inf:1", "nan:0", "nan:2"}));
  EXPECT_EQ(Classify(serving::Floats("y", {0, 5}, {}), 3, true)->shape, (Shape{0, 0}));
}

TEST(Classification, OnlyOfNumbers) {
  const Tensor words{"y", DType::kBytes, {0}, {}};
  EXPECT_EQ(Classify(words, 1, false).status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace snug::server
