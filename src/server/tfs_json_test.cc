#include "server/tfs_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

namespace snug::server {
namespace {

using testing::HasSubstr;

const std::vector<TensorSpec> kOne{{"x", DType::kFp32, {-1, 2}}};
const std::vector<TensorSpec> kTwo{{"x", DType::kFp32, {-1}}, {"n", DType::kInt64, {-1}}};
const std::vector<TensorSpec> kText{{"t", DType::kBytes, {-1}}};

Result<std::vector<Tensor>> Read(std::string_view body, const std::vector<TensorSpec>& inputs) {
  auto split = SplitPredict(body);
  if (!split.ok()) return split.status();
  return ReadPredict(*split, inputs);
}

std::string Error(std::string_view body, const std::vector<TensorSpec>& inputs = kOne) {
  return Read(body, inputs).status().ToString();
}

template <typename T>
std::vector<T> Values(const Tensor& tensor) {
  const auto* data = static_cast<const T*>(tensor.buffer.data());
  return {data, data + tensor.buffer.size() / sizeof(T)};
}

TEST(TfsJson, RowsAndColumns) {
  for (const char* body :
       {R"({"instances":[[1,2],[3,4.5]]})", R"({"instances":[{"x":[1,2]},{"x":[3,4.5]}]})",
        R"({"inputs":[[1,2],[3,4.5]]})", R"({"inputs":{"x":[[1,2],[3,4.5]]}, "other":[{}]})"}) {
    auto tensors = Read(body, kOne);
    ASSERT_TRUE(tensors.ok()) << body << tensors.status().ToString();
    ASSERT_EQ(tensors->size(), 1u);
    EXPECT_EQ((*tensors)[0].shape, (Shape{2, 2}));
    EXPECT_EQ(Values<float>((*tensors)[0]), (std::vector<float>{1, 2, 3, 4.5}));
  }
}

TEST(TfsJson, ScalarsAreRowsToo) {
  auto tensors = Read(R"({"signature_name":"s","instances":[1.0, 2]})", {{"x", DType::kFp32, {-1}}});
  ASSERT_TRUE(tensors.ok());
  EXPECT_EQ((*tensors)[0].shape, (Shape{2}));
  EXPECT_EQ(SplitPredict(R"({"signature_name":"s","inputs":1})")->signature, "s");
  auto scalar = Read(R"({"inputs": 5})", {{"x", DType::kInt32, {}}});
  ASSERT_TRUE(scalar.ok());
  EXPECT_EQ((*scalar)[0].shape, (Shape{}));
}

TEST(TfsJson, SeveralInputs) {
  auto rows = Read(R"({"instances":[{"x":1,"n":2},{"n":4,"x":3}]})", kTwo);
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ((*rows)[0].name, "n");
  EXPECT_EQ(Values<int64_t>((*rows)[0]), (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(Values<float>((*rows)[1]), (std::vector<float>{1, 3}));
  EXPECT_THAT(Error(R"({"instances":[1]})", kTwo), HasSubstr("expected an object with the values of x, n"));
  EXPECT_THAT(Error(R"({"instances":[{"x":1}]})", kTwo), HasSubstr("1 inputs, the signature takes 2"));
  EXPECT_THAT(Error(R"({"instances":[{"x":1,"x":2}]})", kTwo), HasSubstr("is given twice"));
  EXPECT_THAT(Error(R"({"inputs":{"x":1,"y":2}})", kTwo), HasSubstr("unknown input \"y\""));
}

TEST(TfsJson, StringsAndBase64) {
  auto tensors = Read(R"({"instances":["a", {"b64":"AAE="}, {"t":"c"}, {"t":{"b64":""}}]})", kText);
  ASSERT_TRUE(tensors.ok()) << tensors.status().ToString();
  EXPECT_EQ((*tensors)[0].shape, (Shape{4}));
  EXPECT_EQ(std::string(static_cast<const char*>((*tensors)[0].buffer.data()), (*tensors)[0].buffer.size()),
            std::string("\1\0\0\0a\2\0\0\0\0\1\1\0\0\0c\0\0\0\0", 20));
  EXPECT_THAT(Error(R"({"inputs":{"b64":"%"}})", kText), HasSubstr("not valid base64"));
  EXPECT_THAT(Error(R"({"inputs":[1]})", kText), HasSubstr("has a value that is no DT_STRING"));
}

TEST(TfsJson, ErrorsSayWhere) {
  EXPECT_THAT(Error("{"), HasSubstr("JSON Parse error"));
  EXPECT_THAT(Error("{}"), HasSubstr("Missing 'inputs' or 'instances' key"));
  EXPECT_THAT(Error(R"({"inputs":1,"instances":1})"), HasSubstr("only one of"));
  EXPECT_THAT(Error(R"({"instances":[]})"), HasSubstr("holds no instance"));
  EXPECT_THAT(Error(R"({"instances":[[1,2],[3]]})"), HasSubstr("a list of size 1 at level 1, expected 2"));
  EXPECT_THAT(Error(R"({"instances":[[1,2],3]})"), HasSubstr("a value at level 1, expected a list"));
  EXPECT_THAT(Error(R"({"instances":[[1,[2]]]})"), HasSubstr("has a list at level 2"));
  EXPECT_THAT(Error(R"({"instances":[[NaN,1]]})"), HasSubstr("not a JSON value"));
  EXPECT_THAT(Error(R"({"instances":[[1e99,1]]})"), HasSubstr("no DT_FLOAT"));
  EXPECT_THAT(Error(R"({"instances":[null]})"), HasSubstr("no DT_FLOAT"));
  EXPECT_THAT(Error(R"({"inputs":[1.5]})", {{"n", DType::kInt64, {-1}}}), HasSubstr("no DT_INT64"));
  EXPECT_THAT(Error(R"({"inputs":[1]})", {{"h", DType::kFp16, {-1}}}), HasSubstr("send it by gRPC"));
  EXPECT_EQ(Read(R"({"inputs":[1e-60,1]})", kOne).status().ToString(), "OK");
}

Tensor Floats(const std::string& name, Shape shape, std::vector<float> values) {
  Tensor tensor{name, DType::kFp32, std::move(shape), Buffer::Allocate(values.size() * sizeof(float))};
  std::memcpy(tensor.buffer.data(), values.data(), values.size() * sizeof(float));
  return tensor;
}

Tensor Texts(const std::string& name) {
  Tensor tensor{name, DType::kBytes, {2}, Buffer::Allocate(10)};
  std::memcpy(tensor.buffer.data(), "\1\0\0\0a\1\0\0\0\xff", 10);
  return tensor;
}

TEST(TfsJson, Answers) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(*WritePredict(TfsFormat::kRows, {Floats("y", {2}, {2.5f, 3})}), R"({"predictions":[2.5,3.0]})");
  EXPECT_EQ(*WritePredict(TfsFormat::kColumns, {Floats("y", {2, 1}, {1e30f, nan})}),
            R"({"outputs":[[1e+30],[null]]})");
  EXPECT_EQ(*WritePredict(TfsFormat::kRows, {Floats("y", {2}, {1, 2}), Texts("t")}),
            R"({"predictions":[{"y":1.0,"t":"a"},{"y":2.0,"t":{"b64":"/w=="}}]})");
  EXPECT_EQ(*WritePredict(TfsFormat::kColumns, {Floats("y", {}, {1}), Texts("t_bytes")}),
            R"({"outputs":{"y":1.0,"t_bytes":[{"b64":"YQ=="},{"b64":"/w=="}]}})");
  EXPECT_THAT(WritePredict(TfsFormat::kRows, {Floats("y", {}, {1})}).status().text(),
              HasSubstr("single value"));
  EXPECT_THAT(
      WritePredict(TfsFormat::kRows, {Floats("y", {2}, {1, 2}), Floats("z", {1}, {1})}).status().text(),
      HasSubstr("Tensor name: z has inconsistent batch size: 1 expecting: 2"));
}

TEST(TfsJson, Examples) {
  auto body = ReadExamples(R"({"signature_name":"c","context":{"q":1},"examples":[
      {"a":[1,2.5],"b":"text","c":{"b64":"YQ=="},"d":[]},{"a":3}]})");
  ASSERT_TRUE(body.ok()) << body.status().ToString();
  EXPECT_EQ(body->signature, "c");
  const auto& list = body->input.example_list_with_context();
  EXPECT_EQ(list.context().features().feature().at("q").int64_list().value(0), 1);
  ASSERT_EQ(list.examples_size(), 2);
  const auto& features = list.examples(0).features().feature();
  EXPECT_EQ(features.at("a").float_list().value(0), 1);
  EXPECT_EQ(features.at("a").float_list().value(1), 2.5f);
  EXPECT_EQ(features.at("b").bytes_list().value(0), "text");
  EXPECT_EQ(features.at("c").bytes_list().value(0), "a");
  EXPECT_THAT(ReadExamples(R"({"examples":[{"a":["x",1]}]})").status().text(),
              HasSubstr("mixes strings and numbers"));
  EXPECT_THAT(ReadExamples(R"({"examples":[]})").status().text(), HasSubstr("missing or empty"));
  EXPECT_EQ(ReadExamples(R"({"examples":3})").status().code(), Code::kInvalidArgument);
}

TEST(TfsJson, Results) {
  tensorflow::serving::InferenceResult result;
  result.mutable_regression_result()->add_regressions()->set_value(2);
  EXPECT_EQ(WriteResult(result), R"({"results":[2.0]})");
  auto* classes = result.mutable_classification_result()->add_classifications();
  auto* one = classes->add_classes();
  one->set_label("a\"b");
  one->set_score(.5);
  EXPECT_EQ(WriteResult(result), R"({"results":[[["a\"b",0.5]]]})");
}

}  // namespace
}  // namespace snug::server
