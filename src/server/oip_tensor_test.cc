#include "server/oip_tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace snug::server {
namespace {

using testing::HasSubstr;

struct Message {
  std::shared_ptr<inference::ModelInferRequest> request = std::make_shared<inference::ModelInferRequest>();

  inference::InferTensorContents* Add(const std::string& dtype, const std::vector<int64_t>& shape) {
    auto* input = request->add_inputs();
    input->set_name("x");
    input->set_datatype(dtype);
    input->mutable_shape()->Add(shape.begin(), shape.end());
    return input->mutable_contents();
  }
};

std::string BytesOf(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.buffer.data()), tensor.buffer.size()};
}

TEST(OipInputs, TypedContentsOfEachType) {
  Message m;
  m.Add("BOOL", {2})->mutable_bool_contents()->Add(true);
  m.request->mutable_inputs(0)->mutable_contents()->add_bool_contents(false);
  m.Add("INT8", {1})->add_int_contents(-128);
  m.Add("UINT16", {1})->add_uint_contents(65535);
  m.Add("FP32", {1})->add_fp32_contents(1);
  m.Add("BYTES", {2})->add_bytes_contents("ab");
  m.request->mutable_inputs(4)->mutable_contents()->add_bytes_contents("");
  InferExtras extras;
  auto inputs = OipInputs(m.request, extras);
  ASSERT_TRUE(inputs.ok()) << inputs.status().ToString();
  EXPECT_EQ(BytesOf((*inputs)[0]), std::string("\1\0", 2));
  EXPECT_EQ(BytesOf((*inputs)[1]), "\x80");
  EXPECT_EQ(BytesOf((*inputs)[2]), "\xff\xff");
  EXPECT_EQ(BytesOf((*inputs)[4]), std::string("\2\0\0\0ab\0\0\0\0", 10));
}

TEST(OipInputs, RawContentsAreBorrowed) {
  Message m;
  m.Add("FP32", {1000});
  m.request->add_raw_input_contents(std::string(4000, 'r'));
  InferExtras extras;
  auto inputs = OipInputs(m.request, extras);
  ASSERT_TRUE(inputs.ok());
  EXPECT_EQ((*inputs)[0].buffer.data(), m.request->raw_input_contents(0).data());
}

TEST(OipInputs, SaysWhatIsWrong) {
  struct {
    const char* dtype;
    std::vector<int64_t> shape;
    void (*fill)(inference::ModelInferRequest&);
    const char* text;
  } cases[] = {
      {"FP31", {1}, [](auto&) {}, "unknown datatype \"FP31\""},
      {"FP32",
       {2},
       [](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1); },
       "FP32 [2] needs 2 elements in contents.fp32_contents, got 1"},
      {"FP32",
       {1},
       [](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_int_contents(1); },
       "got 0 there and 1 in all of contents"},
      {"INT8",
       {1},
       [](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_int_contents(128); },
       "element 0 does not fit INT8"},
      {"FP16", {1}, [](auto&) {}, "can only be sent in raw_input_contents"},
      {"FP32", {-1}, [](auto&) {}, "shape [-1] is not valid"},
      {"FP32", std::vector<int64_t>(17, 1), [](auto&) {}, "17 dimensions"},
      {"FP32",
       {1},
       [](auto& r) {
         r.add_raw_input_contents("");
         r.add_raw_input_contents("");
       },
       "1 inputs, but 2 raw_input_contents"},
      {"FP32",
       {1},
       [](auto& r) {
         r.add_raw_input_contents("abcd");
         r.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
       },
       "send one of them"},
      {"FP32", {1}, [](auto& r) { r.mutable_inputs(0)->clear_name(); }, "an input has no name"},
      {"FP32",
       {1},
       [](auto& r) { (*r.mutable_inputs(0)->mutable_parameters())["shared_memory_region"]; },
       "shared memory needs the parameters"},
  };
  for (const auto& c : cases) {
    Message m;
    m.Add(c.dtype, c.shape);
    c.fill(*m.request);
    InferExtras extras;
    Status status = OipInputs(m.request, extras).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << c.text;
    EXPECT_THAT(status.text(), HasSubstr(c.text));
  }
}

TEST(OipSequence, NumbersTextsAndWhatIsNeither) {
  inference::ModelInferRequest request;
  auto& parameters = *request.mutable_parameters();
  EXPECT_TRUE(OipSequence(request)->id.empty());
  parameters["sequence_id"].set_int64_param(-1);
  parameters["sequence_start"].set_bool_param(true);
  EXPECT_EQ(OipSequence(request)->id.number, UINT64_MAX);
  EXPECT_TRUE(OipSequence(request)->start);
  parameters["sequence_id"].set_string_param("a");
  EXPECT_EQ(OipSequence(request)->id.text, "a");
  parameters["sequence_end"].set_int64_param(1);
  EXPECT_THAT(OipSequence(request).status().text(),
              HasSubstr("'sequence_end' parameter, expected bool_param"));
  parameters["sequence_end"].set_bool_param(true);
  EXPECT_TRUE(OipSequence(request)->end);
  parameters["sequence_id"].set_bool_param(true);
  EXPECT_THAT(OipSequence(request).status().text(),
              HasSubstr("expected int64_param, uint64_param or string_param"));
}

}  // namespace
}  // namespace snug::server
