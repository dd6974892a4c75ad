#include "serving/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/testing/fakes.h"

namespace snug::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<TensorSpec> kSpecs{{"a", DType::kFp32, {-1, 2}}, {"b", DType::kFp32, {3}}};

Tensor A() {
  return Floats("a", {1, 2}, {1, 2});
}
Tensor B() {
  return Floats("b", {3}, {1, 2, 3});
}

struct Case {
  const char* what;
  std::vector<Tensor> inputs;
  const char* text;
};

TEST(ArrangeInputs, SaysWhatIsWrong) {
  Tensor typed = A();
  typed.dtype = DType::kInt32;
  Tensor cut = Floats("a", {1, 2}, {1});
  const Case cases[] = {
      {"unknown",
       {A(), Floats("c", {1}, {1})},
       "unknown input \"c\"; the model's inputs are: a FP32 [-1,2], b FP32 [3]"},
      {"missing", {A()}, "input \"b\" is missing; expected 2 input(s), got 1"},
      {"none", {}, "input \"a\" is missing"},
      {"twice", {A(), A()}, "input \"a\" is given twice"},
      {"dtype", {typed, B()}, "expected datatype FP32, got INT32"},
      {"shape", {Floats("a", {2}, {1, 2}), B()}, "expected shape [-1,2] (-1 is free), got [2]"},
      {"negative", {Floats("a", {-1, 2}, {1, 2}), B()}, "got [-1,2]"},
      {"bytes", {cut, B()}, "needs 8 bytes, got 4"},
  };
  for (const Case& c : cases) {
    std::vector<Tensor> inputs = c.inputs;
    Status status = ArrangeInputs(kSpecs, inputs);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << c.what;
    EXPECT_THAT(status.text(), HasSubstr(c.text)) << c.what;
  }
}

TEST(ArrangeInputs, PutsThemIntoTheModelsOrder) {
  std::vector<Tensor> inputs{B(), A()};
  ASSERT_TRUE(ArrangeInputs(kSpecs, inputs).ok());
  EXPECT_EQ(inputs[0].name, "a");
  EXPECT_EQ(inputs[1].name, "b");
}

TEST(WantedOutputs, NamesAndOrder) {
  EXPECT_TRUE(WantedOutputs(kSpecs, {})->empty());
  std::vector<std::string> names{"b", "a"};
  EXPECT_THAT(*WantedOutputs(kSpecs, names), ElementsAre(1, 1));
  std::vector<Tensor> outputs{A(), B()};
  ArrangeOutputs(names, outputs);
  EXPECT_EQ(outputs[0].name, "b");
  names = {"b"};
  EXPECT_THAT(*WantedOutputs(kSpecs, names), ElementsAre(0, 1));
  names = {"b", "b"};
  EXPECT_THAT(WantedOutputs(kSpecs, names).status().text(), HasSubstr("asked for twice"));
  names = {"q"};
  EXPECT_THAT(WantedOutputs(kSpecs, names).status().text(), HasSubstr("unknown output \"q\""));
}

TEST(ZeroInputs, FillsFreeDimensions) {
  const std::vector<TensorSpec> specs{{"a", DType::kInt64, {-1, -1, 4}}, {"s", DType::kBytes, {-1}}};
  auto zeros = ZeroInputs(specs, 32);
  ASSERT_TRUE(zeros.ok());
  EXPECT_THAT((*zeros)[0].shape, ElementsAre(1, 32, 4));
  EXPECT_EQ((*zeros)[0].buffer.size(), 32u * 4 * 8);
  EXPECT_TRUE(ArrangeInputs(specs, *zeros).ok());
  EXPECT_TRUE(HasGuessedDims(specs));
  EXPECT_FALSE(HasGuessedDims(kSpecs));
  const std::vector<TensorSpec> huge{{"a", DType::kFp32, {1 << 20, 1 << 20}}};
  EXPECT_EQ(ZeroInputs(huge, 1).status().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace snug::serving
