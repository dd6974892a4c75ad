#include "server/tfs_tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "server/tfs_call.h"
#include "server/tfs_evaluate.h"
#include "server/tfs_example.h"

namespace snug::server {
namespace {

using tensorflow::TensorProto;
using testing::HasSubstr;

TensorProto Proto(tensorflow::DataType dtype, std::initializer_list<int64_t> dims) {
  TensorProto proto;
  proto.set_dtype(dtype);
  proto.mutable_tensor_shape();
  for (int64_t dim : dims) proto.mutable_tensor_shape()->add_dim()->set_size(dim);
  return proto;
}

Result<Tensor> Read(const TensorProto& proto) {
  return TensorFromProto("x", proto, std::make_shared<TensorProto>(proto));
}

template <typename T>
std::vector<T> Values(const Tensor& tensor) {
  const auto* data = static_cast<const T*>(tensor.buffer.data());
  return {data, data + tensor.buffer.size() / sizeof(T)};
}

TEST(TfsTensor, TypedFieldsAndContentAreTheSame) {
  TensorProto typed = Proto(tensorflow::DT_FLOAT, {2});
  typed.add_float_val(1.5f);
  typed.add_float_val(-2);
  auto a = Read(typed);
  ASSERT_TRUE(a.ok()) << a.status().ToString();
  EXPECT_EQ(Values<float>(*a), (std::vector<float>{1.5f, -2}));
  TensorProto content = Proto(tensorflow::DT_FLOAT, {2});
  content.set_tensor_content(std::string(static_cast<const char*>(a->buffer.data()), 8));
  auto b = TensorFromProto("x", content, nullptr);
  ASSERT_TRUE(b.ok());
  EXPECT_EQ(Values<float>(*b), (std::vector<float>{1.5f, -2}));
  EXPECT_EQ(b->buffer.data(), content.tensor_content().data()) << "borrowed";
}

TEST(TfsTensor, TheLastValueStandsForTheRest) {
  TensorProto proto = Proto(tensorflow::DT_INT32, {2, 2});
  EXPECT_EQ(Values<int32_t>(*Read(proto)), (std::vector<int32_t>{0, 0, 0, 0}));
  proto.add_int_val(3);
  proto.add_int_val(4);
  EXPECT_EQ(Values<int32_t>(*Read(proto)), (std::vector<int32_t>{3, 4, 4, 4}));
  TensorProto huge = Proto(tensorflow::DT_INT32, {1 << 20, 1 << 10});
  EXPECT_THAT(Read(huge).status().text(), HasSubstr("has 1073741824 elements"));
}

// Every type survives the way out and back.
TEST(TfsTensor, EveryTypeComesBackWhole) {
  for (int number = 0; number < 30; ++number) {
    const auto dtype = TypeFromTfs(number);
    if (!dtype) continue;
    Tensor tensor{"x", *dtype, {2}, {}};
    std::string bytes;
    if (*dtype == DType::kBytes) {
      bytes = std::string("\1\0\0\0a\2\0\0\0bc", 11);
    } else {
      bytes = std::string(2 * ElementBytes(*dtype), '\0');
      bytes[0] = 1;
    }
    tensor.buffer = Buffer::Allocate(bytes.size());
    std::memcpy(tensor.buffer.data(), bytes.data(), bytes.size());
    TensorProto proto;
    TensorToProto(tensor, &proto);
    EXPECT_TRUE(proto.tensor_content().empty()) << "clients read the typed fields";
    auto back = Read(proto);
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    EXPECT_EQ(back->dtype, *dtype);
    EXPECT_EQ(back->shape, tensor.shape);
    EXPECT_EQ(std::string(static_cast<const char*>(back->buffer.data()), back->buffer.size()), bytes)
        << number;
  }
}

TEST(TfsTensor, StringsOfTensorContent) {
  TensorProto proto = Proto(tensorflow::DT_STRING, {2});
  proto.set_tensor_content(std::string("\1\2abc", 5));
  auto tensor = Read(proto);
  ASSERT_TRUE(tensor.ok()) << tensor.status().ToString();
  EXPECT_EQ(std::string(static_cast<const char*>(tensor->buffer.data()), tensor->buffer.size()),
            std::string("\1\0\0\0a\2\0\0\0bc", 11));
  proto.set_tensor_content(std::string("\1\x7f", 2) + "abc");
  EXPECT_THAT(Read(proto).status().text(), HasSubstr("need 128 bytes, 3 are there"));
}

TEST(TfsTensor, ErrorsSayWhatIsWrong) {
  EXPECT_THAT(Read(Proto(tensorflow::DT_COMPLEX64, {1})).status().text(),
              HasSubstr("DT_COMPLEX64 is not served"));
  EXPECT_THAT(Read(Proto(tensorflow::DT_FLOAT, {-1})).status().text(), HasSubstr("shape [-1] is not valid"));
  TensorProto proto = Proto(tensorflow::DT_FLOAT, {1});
  proto.add_float_val(1);
  proto.add_float_val(2);
  EXPECT_THAT(Read(proto).status().text(), HasSubstr("has 1 elements, the message holds 2 values"));
  proto = Proto(tensorflow::DT_UINT8, {1});
  proto.add_int_val(256);
  EXPECT_THAT(Read(proto).status().text(), HasSubstr("does not fit DT_UINT8"));
  proto = Proto(tensorflow::DT_FLOAT, {2});
  proto.set_tensor_content("1234");
  EXPECT_EQ(Read(proto).status().code(), Code::kInvalidArgument);
  proto.mutable_tensor_shape()->set_unknown_rank(true);
  EXPECT_THAT(Read(proto).status().text(), HasSubstr("unknown_rank"));
}

tensorflow::Example MakeExample(std::initializer_list<float> values) {
  tensorflow::Example example;
  auto& feature = (*example.mutable_features()->mutable_feature())["x"];
  for (float value : values) feature.mutable_float_list()->add_value(value);
  return example;
}

TEST(TfsExample, FeaturesByNameOrSerialised) {
  const std::vector<tensorflow::Example> examples{MakeExample({1, 2}), MakeExample({3, 4})};
  auto named = TensorsOfExamples(examples, {{"x", DType::kFp32, {-1, 2}}});
  ASSERT_TRUE(named.ok()) << named.status().ToString();
  EXPECT_EQ((*named)[0].shape, (Shape{2, 2}));
  EXPECT_EQ(Values<float>((*named)[0]), (std::vector<float>{1, 2, 3, 4}));
  auto serialised = TensorsOfExamples(examples, {{"examples", DType::kBytes, {-1}}});
  ASSERT_TRUE(serialised.ok());
  EXPECT_EQ((*serialised)[0].shape, (Shape{2}));
  tensorflow::Example back;
  uint32_t length = 0;
  std::memcpy(&length, (*serialised)[0].buffer.data(), sizeof length);
  ASSERT_TRUE(back.ParseFromArray(static_cast<const char*>((*serialised)[0].buffer.data()) + 4,
                                  static_cast<int>(length)));
  EXPECT_EQ(back.features().feature().at("x").float_list().value(1), 2);
  auto text = [&](const TensorSpec& spec) { return TensorsOfExamples(examples, {spec}).status().text(); };
  EXPECT_THAT(text({"z", DType::kFp32, {-1}}),
              HasSubstr("example 0 has no feature \"z\", which the model takes as"));
  EXPECT_THAT(text({"x", DType::kInt64, {-1, 2}}), HasSubstr("is a float_list, the model takes DT_INT64"));
  EXPECT_THAT(text({"x", DType::kFp32, {-1, 3}}), HasSubstr("2 examples of 2 values do not fit"));
}

TEST(TfsExample, ContextGivesWhatExamplesLack) {
  tensorflow::serving::Input input;
  EXPECT_EQ(ExamplesOf(input).status().text(), "Input is empty.");
  auto* list = input.mutable_example_list_with_context();
  *list->mutable_context() = MakeExample({7});
  list->add_examples();
  auto examples = ExamplesOf(input);
  ASSERT_TRUE(examples.ok());
  EXPECT_EQ((*examples)[0].features().feature().at("x").float_list().value(0), 7);
}

Tensor Floats(const std::string& name, Shape shape, std::vector<float> values) {
  Tensor tensor{name, DType::kFp32, std::move(shape), Buffer::Allocate(values.size() * sizeof(float))};
  std::memcpy(tensor.buffer.data(), values.data(), values.size() * sizeof(float));
  return tensor;
}

TEST(TfsEvaluate, OutputsBecomeClassesAndValues) {
  tensorflow::serving::RegressionResult values;
  ASSERT_TRUE(RegressionOf({Floats("outputs", {2, 1}, {1, 2})}, 2, &values).ok());
  EXPECT_EQ(values.regressions(1).value(), 2);
  EXPECT_THAT(RegressionOf({Floats("outputs", {1, 2}, {1, 2})}, 1, &values).text(),
              HasSubstr("expected one value"));
  EXPECT_THAT(RegressionOf({Floats("outputs", {3}, {1, 2, 3})}, 1, &values).text(),
              HasSubstr("expected 1 rows"));
  tensorflow::serving::ClassificationResult classes;
  Tensor labels{"classes", DType::kBytes, {1, 2}, Buffer::Allocate(10)};
  std::memcpy(labels.buffer.data(), "\1\0\0\0a\1\0\0\0b", 10);
  ASSERT_TRUE(ClassificationOf({labels, Floats("scores", {1, 2}, {.25f, .75f})}, 1, &classes).ok());
  EXPECT_EQ(classes.classifications(0).classes(1).label(), "b");
  EXPECT_EQ(classes.classifications(0).classes(1).score(), .75f);
}

}  // namespace
}  // namespace snug::server
