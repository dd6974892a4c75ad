// What we write is read, and what we read is written, by protobuf's own code of the two protocols.
#include <gmock/gmock.h>
#include <google/protobuf/wrappers.pb.h>
#include <grpc_service.pb.h>
#include <gtest/gtest.h>
#include <tensorflow_serving/apis/get_model_metadata.pb.h>
#include <tensorflow_serving/apis/predict.pb.h>

#include "engines/kit/kit.h"
#include "engines/remote/kserve.h"
#include "engines/remote/tfserving.h"

namespace snug::remote {
namespace {

const int64_t kDims[2] = {2, 3};
const float kNumbers[6] = {1, 2, 3, 4, 5, 6};
const std::string kStrings("\2\0\0\0ab\0\0\0\0", 10);
const int64_t kStringDims[1] = {2};
const snug_tensor kInputs[2] = {{"x", SNUG_FP32, 2, kDims, kNumbers, sizeof kNumbers},
                                {"s", SNUG_BYTES, 1, kStringDims, kStrings.data(), kStrings.size()}};

std::string Data(const AnswerTensor& tensor) {
  return std::string(tensor.data());
}
std::string Floats(std::initializer_list<float> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * 4);
}
snug_code CodeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const kit::Failure& e) {
    return e.code();
  }
  return SNUG_OK;
}

TEST(KServe, InferRequest) {
  inference::ModelInferRequest request;
  ASSERT_TRUE(request.ParseFromString(kserve::EncodeInfer("ocr", "3", kInputs, 2, {"y"})));
  EXPECT_EQ(request.model_name(), "ocr");
  EXPECT_EQ(request.model_version(), "3");
  ASSERT_EQ(request.inputs_size(), 2);
  EXPECT_EQ(request.inputs(0).name(), "x");
  EXPECT_EQ(request.inputs(0).datatype(), "FP32");
  EXPECT_THAT(request.inputs(0).shape(), testing::ElementsAre(2, 3));
  EXPECT_EQ(request.inputs(1).datatype(), "BYTES");
  ASSERT_EQ(request.raw_input_contents_size(), 2);
  EXPECT_EQ(request.raw_input_contents(0), Floats({1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(request.raw_input_contents(1), kStrings);
  ASSERT_EQ(request.outputs_size(), 1);
  EXPECT_EQ(request.outputs(0).name(), "y");
  ASSERT_TRUE(request.ParseFromString(kserve::EncodeInfer("ocr", "", kInputs, 0, {})));
  EXPECT_EQ(request.model_version(), "");
}

TEST(KServe, RawAnswer) {
  inference::ModelInferResponse response;
  response.set_model_name("ocr");
  (*response.mutable_parameters())["k"].set_string_param("ignored");
  auto* y = response.add_outputs();
  y->set_name("y");
  y->set_datatype("FP32");
  y->add_shape(2);
  response.add_raw_output_contents(Floats({7, 8}));
  const std::string message = response.SerializeAsString();
  auto tensors = kserve::DecodeInfer(message);
  ASSERT_EQ(tensors.size(), 1u);
  EXPECT_EQ(tensors[0].name, "y");
  EXPECT_EQ(tensors[0].dtype, SNUG_FP32);
  EXPECT_EQ(tensors[0].dims, (std::vector<int64_t>{2}));
  EXPECT_EQ(Data(tensors[0]), Floats({7, 8}));
  response.add_raw_output_contents("more");
  EXPECT_EQ(CodeOf([&] { kserve::DecodeInfer(response.SerializeAsString()); }), SNUG_INTERNAL);
}

TEST(KServe, TypedAnswer) {
  inference::ModelInferResponse response;
  auto add = [&](const char* name, const char* dtype, int64_t count) {
    auto* tensor = response.add_outputs();
    tensor->set_name(name);
    tensor->set_datatype(dtype);
    tensor->add_shape(count);
    return tensor->mutable_contents();
  };
  add("b", "BOOL", 2)->mutable_bool_contents()->Add(true);
  response.mutable_outputs(0)->mutable_contents()->add_bool_contents(false);
  add("i", "INT8", 1)->add_int_contents(-2);
  add("l", "INT64", 1)->add_int64_contents(-3);
  add("u", "UINT16", 1)->add_uint_contents(65535);
  add("f", "FP32", 1)->add_fp32_contents(1.5f);
  add("d", "FP64", 1)->add_fp64_contents(2.5);
  add("s", "BYTES", 1)->add_bytes_contents("ab");
  const std::string message = response.SerializeAsString();
  auto tensors = kserve::DecodeInfer(message);
  ASSERT_EQ(tensors.size(), 7u);
  EXPECT_EQ(Data(tensors[0]), std::string("\1\0", 2));
  EXPECT_EQ(Data(tensors[1]), "\xfe");
  EXPECT_EQ(Data(tensors[2]), std::string("\xfd\xff\xff\xff\xff\xff\xff\xff"));
  EXPECT_EQ(Data(tensors[3]), "\xff\xff");
  EXPECT_EQ(Data(tensors[4]), Floats({1.5f}));
  EXPECT_EQ(Data(tensors[5]).size(), 8u);
  EXPECT_EQ(Data(tensors[6]), std::string("\2\0\0\0ab", 6));
}

TEST(KServe, Metadata) {
  inference::ModelMetadataRequest request;
  ASSERT_TRUE(request.ParseFromString(kserve::EncodeMetadataRequest("ocr", "3")));
  EXPECT_EQ(request.name(), "ocr");
  EXPECT_EQ(request.version(), "3");
  inference::ModelMetadataResponse response;
  response.set_name("ocr");
  response.add_versions("3");
  auto* x = response.add_inputs();
  x->set_name("x");
  x->set_datatype("FP32");
  x->add_shape(-1);
  x->add_shape(4);
  *response.add_outputs() = *x;
  Metadata metadata = kserve::DecodeMetadata(response.SerializeAsString());
  ASSERT_EQ(metadata.inputs.size(), 1u);
  EXPECT_EQ(metadata.inputs[0].dims, (std::vector<int64_t>{-1, 4}));
  EXPECT_EQ(metadata.outputs[0].name, "x");
  x->set_datatype("COMPLEX");
  EXPECT_EQ(CodeOf([&] { kserve::DecodeMetadata(response.SerializeAsString()); }), SNUG_UNIMPLEMENTED);
}

TEST(TfServing, PredictRequest) {
  tensorflow::serving::PredictRequest request;
  ASSERT_TRUE(request.ParseFromString(tfserving::EncodePredict({"ocr", "3", "upper"}, kInputs, 2, {"y"})));
  EXPECT_EQ(request.model_spec().name(), "ocr");
  EXPECT_EQ(request.model_spec().version().value(), 3);
  EXPECT_EQ(request.model_spec().signature_name(), "upper");
  EXPECT_THAT(request.output_filter(), testing::ElementsAre("y"));
  const auto& x = request.inputs().at("x");
  EXPECT_EQ(x.dtype(), tensorflow::DT_FLOAT);
  EXPECT_EQ(x.tensor_shape().dim(1).size(), 3);
  EXPECT_EQ(x.tensor_content(), Floats({1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(request.inputs().at("s").string_val(), testing::ElementsAre("ab", ""));
  ASSERT_TRUE(request.ParseFromString(tfserving::EncodePredict({"ocr", "stable", "s"}, kInputs, 1, {})));
  EXPECT_EQ(request.model_spec().version_label(), "stable");
}

TEST(TfServing, Answer) {
  tensorflow::serving::PredictResponse response;
  auto& outputs = *response.mutable_outputs();
  auto add = [&](const char* name, tensorflow::DataType dtype, int64_t count) -> tensorflow::TensorProto& {
    outputs[name].set_dtype(dtype);
    outputs[name].mutable_tensor_shape()->add_dim()->set_size(count);
    return outputs[name];
  };
  add("content", tensorflow::DT_FLOAT, 1).set_tensor_content(Floats({9}));
  add("floats", tensorflow::DT_FLOAT, 2).add_float_val(1);
  outputs["floats"].add_float_val(2);
  add("same", tensorflow::DT_INT64, 3).add_int64_val(-1);
  add("bytes", tensorflow::DT_UINT8, 2).add_int_val(200);
  outputs["bytes"].add_int_val(7);
  add("half", tensorflow::DT_HALF, 1).add_half_val(0x3c00);
  add("bools", tensorflow::DT_BOOL, 1).add_bool_val(true);
  add("texts", tensorflow::DT_STRING, 1).add_string_val("ab");
  const std::string message = response.SerializeAsString();
  std::map<std::string, std::string> data;
  for (const auto& tensor : tfserving::DecodePredict(message)) data[tensor.name] = Data(tensor);
  EXPECT_EQ(data["content"], Floats({9}));
  EXPECT_EQ(data["floats"], Floats({1, 2}));
  EXPECT_EQ(data["same"], std::string(24, '\xff'));
  EXPECT_EQ(data["bytes"], "\xc8\x07");
  EXPECT_EQ(data["half"], std::string("\0\x3c", 2));
  EXPECT_EQ(data["bools"], "\1");
  EXPECT_EQ(data["texts"], std::string("\2\0\0\0ab", 6));
  outputs["floats"].set_dtype(tensorflow::DT_DOUBLE);  // its values are floats: not a whole number of doubles
  outputs["floats"].mutable_float_val()->RemoveLast();
  const std::string cut = response.SerializeAsString();  // what is decoded points into it
  for (const auto& tensor : tfserving::DecodePredict(cut)) data[tensor.name] = Data(tensor);
  EXPECT_EQ(data["floats"], Floats({1})) << "as it came: the host says that the length is wrong";
  outputs["floats"].set_dtype(tensorflow::DT_COMPLEX64);
  EXPECT_EQ(CodeOf([&] { tfserving::DecodePredict(response.SerializeAsString()); }), SNUG_UNIMPLEMENTED);
}

TEST(TfServing, Metadata) {
  tensorflow::serving::GetModelMetadataRequest request;
  ASSERT_TRUE(request.ParseFromString(tfserving::EncodeMetadataRequest({"ocr", "", "upper"})));
  EXPECT_THAT(request.metadata_field(), testing::ElementsAre("signature_def"));
  tensorflow::serving::SignatureDefMap map;
  auto& signature = (*map.mutable_signature_def())["serving_default"];
  auto add = [](auto& tensors, const char* name, tensorflow::DataType dtype) {
    auto& info = tensors[name];
    info.set_name("t:0");
    info.set_dtype(dtype);
    info.mutable_tensor_shape()->add_dim()->set_size(-1);
  };
  add(*signature.mutable_inputs(), "x", tensorflow::DT_FLOAT);
  add(*signature.mutable_outputs(), "y", tensorflow::DT_STRING);
  tensorflow::serving::GetModelMetadataResponse response;
  (*response.mutable_metadata())["signature_def"].PackFrom(map);
  const std::string message = response.SerializeAsString();
  Metadata metadata = tfserving::DecodeMetadata(message, {"ocr", "", "serving_default"});
  ASSERT_EQ(metadata.inputs.size(), 1u);
  EXPECT_EQ(metadata.inputs[0].dims, (std::vector<int64_t>{-1}));
  EXPECT_EQ(metadata.outputs[0].dtype, SNUG_BYTES);
  EXPECT_EQ(CodeOf([&] { tfserving::DecodeMetadata(message, {"ocr", "", "upper"}); }), SNUG_NOT_FOUND);
}

TEST(Wire, WhatIsCutOffIsRefused) {
  const std::string message = kserve::EncodeInfer("ocr", "3", kInputs, 2, {"y"});
  for (size_t size = 1; size < 60; ++size) {
    (void)CodeOf([&] { kserve::DecodeInfer(std::string_view(message).substr(0, size)); });
    (void)CodeOf([&] { tfserving::DecodePredict(std::string_view(message).substr(0, size)); });
  }
  EXPECT_EQ(CodeOf([] { kserve::DecodeInfer("\x2a\x7f"); }), SNUG_INTERNAL);
  EXPECT_EQ(CodeOf([] { kserve::DecodeInfer("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"); }),
            SNUG_INTERNAL);
  EXPECT_EQ(CodeOf([] { CountElements({1 << 30, 1 << 30}); }), SNUG_INTERNAL);
}

}  // namespace
}  // namespace snug::remote
