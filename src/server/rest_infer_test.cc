#include "server/rest_infer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "base/rng.h"
#include "server/rest_documents.h"

namespace snug::server {
namespace {

using testing::HasSubstr;

Result<RestInferRequest> Decode(std::string body, std::string_view header = "") {
  return DecodeInfer(std::make_shared<std::string>(std::move(body)), header);
}

std::string OneInput(const std::string& dtype, const std::string& shape, const std::string& data) {
  return R"({"inputs":[{"name":"x","datatype":")" + dtype + R"(","shape":)" + shape + R"(,"data":)" + data +
         "}]}";
}

template <typename T>
std::vector<T> Values(const Tensor& tensor) {
  std::vector<T> values(tensor.buffer.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor.buffer.data(), tensor.buffer.size());
  return values;
}

template <typename T>
void ExpectValues(const std::string& dtype, const std::string& shape, const std::string& data,
                  std::vector<T> expected) {
  auto request = Decode(OneInput(dtype, shape, data));
  ASSERT_TRUE(request.ok()) << request.status().ToString() << " " << data;
  EXPECT_EQ(Values<T>(request->inputs[0]), expected) << data;
}

TEST(DecodeInfer, NumbersFlatAndNested) {
  ExpectValues<float>("FP32", "[2,2]", "[1, -2.5,3e2 ,4]", {1, -2.5, 300, 4});
  ExpectValues<float>("FP32", "[2,2]", "[[1,2],[3,4]]", {1, 2, 3, 4});
  ExpectValues<float>("FP32", "[1,2,1]", "[[[1],[2]]]", {1, 2});
  ExpectValues<float>("FP32", "[2]", "[1e-60, 3.4028235e38]", {0, std::numeric_limits<float>::max()});
  ExpectValues<double>("FP64", "[1]", "[0.1]", {0.1});
  ExpectValues<int8_t>("INT8", "[2]", "[-128,127]", {-128, 127});
  ExpectValues<uint64_t>("UINT64", "[1]", "[18446744073709551615]", {UINT64_MAX});
  ExpectValues<uint8_t>("BOOL", "[4]", "[true,false,1,0]", {1, 0, 1, 0});
  ExpectValues<float>("FP32", "[0]", "[]", {});
  ExpectValues<float>("FP32", "[2,0]", "[[],[]]", {});
  ExpectValues<float>("FP32", "[]", "[7]", {7});
  ExpectValues<char>("BYTES", "[2]", R"(["ab",""])", {2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0});
}

TEST(DecodeInfer, SequencesAreNamedByNumbersOrTexts) {
  auto sequence = [](const std::string& parameters) {
    return Decode(R"({"inputs":[],"parameters":{)" + parameters + "}}");
  };
  auto number = sequence(R"("sequence_id":42,"sequence_start":true)");
  ASSERT_TRUE(number.ok());
  EXPECT_EQ(number->sequence.id, (serving::CorrelationId{42, ""}));
  EXPECT_TRUE(number->sequence.start && !number->sequence.end);
  auto text = sequence(R"("sequence_id":"call","sequence_end":true)");
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->sequence.id, (serving::CorrelationId{0, "call"}));
  EXPECT_TRUE(text->sequence.end && !text->sequence.start);
  EXPECT_THAT(sequence(R"("sequence_id":-1)").status().text(), HasSubstr("a text or a number from 0 on"));
  EXPECT_FALSE(sequence(R"("sequence_id":{})").ok());
  EXPECT_FALSE(sequence(R"("sequence_start":1)").ok());
}

TEST(DecodeInfer, DecimalsAreRoundedAsStrtofAndStrtodDo) {
  std::vector<std::string> texts{"0",         "-0.0", "0.1", "16777217", "16777217.0", "9007199254740993",
                                 "33554431.5"};
  Rng rng(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto bits = static_cast<uint32_t>(rng.Uniform() * 0x20000000) + 0x30000000;  // 4.6e-10 to 8.5e9
    const auto low = std::bit_cast<float>(bits), high = std::bit_cast<float>(bits + 1);
    const double middle = (static_cast<double>(low) + high) / 2;
    texts.push_back(fmt::format("{:.9g}", low));
    texts.push_back(fmt::format("{:.17g}", -low));
    texts.push_back(fmt::format("{:.{}f}", low, i % 20));
    for (double near : {middle, std::nextafter(middle, 0.0), std::nextafter(middle, 1e30)}) {
      texts.push_back(fmt::format("{:.17g}", near));
      texts.push_back(fmt::format("{:.18f}", near));
    }
  }
  std::vector<float> floats;
  std::vector<double> doubles;
  std::string data;
  for (const std::string& text : texts) {
    floats.push_back(std::strtof(text.c_str(), nullptr));
    doubles.push_back(std::strtod(text.c_str(), nullptr));
    data += (data.empty() ? "[" : ",") + text;
  }
  const std::string shape = fmt::format("[{}]", texts.size());
  auto as_float = Decode(OneInput("FP32", shape, data + "]"));
  auto as_double = Decode(OneInput("FP64", shape, data + "]"));
  ASSERT_TRUE(as_float.ok() && as_double.ok());
  const auto got = Values<float>(as_float->inputs[0]);
  const auto got_double = Values<double>(as_double->inputs[0]);
  for (size_t i = 0; i < texts.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(got[i]), std::bit_cast<uint32_t>(floats[i])) << texts[i];
    ASSERT_EQ(std::bit_cast<uint64_t>(got_double[i]), std::bit_cast<uint64_t>(doubles[i])) << texts[i];
  }
}

TEST(DecodeInfer, OnlyDigitsAreDigits) {
  constexpr std::string_view kGoesOn = "0123456789eE,] \n\r\t";
  for (int code = 0; code < 256; ++code) {
    const auto c = static_cast<char>(code);
    if (kGoesOn.find(c) != std::string_view::npos) continue;
    for (size_t place = 1; place <= 8; ++place) {
      const std::string number = "0." + std::string(place, '9') + c + std::string(8, '9');
      auto request = Decode(OneInput("FP32", "[1]", "[" + number + "]"));
      EXPECT_FALSE(request.ok()) << number;
    }
  }
}

TEST(DecodeInfer, DataMayComeFirst) {
  auto request =
      Decode(R"({"inputs":[{"data":[[1],[2]],"shape":[2,1],"name":"x","datatype":"INT32"}],"id":"7"})");
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  EXPECT_EQ(Values<int32_t>(request->inputs[0]), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(request->id, "7");
}

TEST(DecodeInfer, SaysWhatIsWrong) {
  struct {
    std::string body;
    const char* text;
  } cases[] = {
      {"", "ends too early"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":"1"}]})", "\"shape\" must be an array"},
      {"[]", "expected a JSON object"},
      {"{}", "no \"inputs\""},
      {R"({"inputs":[{}]})", "an input has no \"name\""},
      {R"({"inputs":[{"name":"x"}]})", "input \"x\" has no \"datatype\""},
      {R"({"inputs":[{"name":"x","datatype":"FP32"}]})", "input \"x\" has no \"shape\""},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]})",
       "neither \"data\" nor parameters.binary_data_size"},
      {OneInput("FP31", "[1]", "[1]"), "unknown datatype \"FP31\"; known are BOOL"},
      {OneInput("FP16", "[1]", "[1]"), "can only be sent as binary data"},
      {OneInput("FP32", "[-1]", "[1]"), "must not hold -1"},
      {OneInput("FP32", "[1.5]", "[1]"), "expected a whole number"},
      {OneInput("FP32", "[3]", "[1,2]"), "shape [3] needs 3 elements in \"data\", got 2"},
      {OneInput("FP32", "[1]", "[1,2]"), "needs 1 elements in \"data\", got more"},
      {OneInput("FP32", "[2,2]", "[[1,2],[3]]"), "needs 2 elements in \"data\" at nesting level 2, got 1"},
      {OneInput("FP32", "[2,2]", "[[1,2]]"), "needs 2 elements in \"data\" at nesting level 1, got 1"},
      {OneInput("FP32", "[1,2]", "[[1,2],[3,4]]"), "at nesting level 1, got more"},
      {OneInput("FP32", "[2]", "[[1],[2]]"), "element 0 of \"data\" is not a number"},
      {OneInput("FP32", "[1]", "[NaN]"), "element 0 of \"data\" is not a number for datatype FP32"},
      {OneInput("FP32", "[1]", "[Infinity]"), "is not a number"},
      {OneInput("FP32", "[1]", "[null]"), "is not a number"},
      {OneInput("FP32", "[2]", "[1,\"2\"]"), "element 1 of \"data\" is not a number"},
      {OneInput("FP32", "[1]", "[1e39]"), "does not fit for datatype FP32"},
      {OneInput("FP64", "[1]", "[1e400]"), "does not fit"},
      {OneInput("INT8", "[1]", "[128]"), "does not fit"},
      {OneInput("UINT8", "[1]", "[-1]"), "does not fit"},
      {OneInput("INT32", "[1]", "[1.5]"), "is not a whole number"},
      {OneInput("BOOL", "[1]", "[2]"), "expected true or false"},
      {OneInput("BYTES", "[1]", "[1]"), "expected a JSON string"},
      {OneInput("FP32", "[1099511627776,1099511627776]", "[1]"), "is not valid"},
      {OneInput("FP32", "[1099511627776]", "[1]"), "too short"},
      {OneInput("FP32", "[2]", "[1,2"), "expected ',' or ']' in \"data\""},
      {OneInput("FP32", "[1]", "7"), "must be an array"},
      {OneInput("FP32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[1]"), "more than 16 dimensions"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"shared_memory_region":"r"}}]})",
       "shared memory needs"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1],)"
       R"("parameters":{"shared_memory_region":"r","shared_memory_byte_size":4}}]})",
       "has shared memory and"},
      {R"({"inputs":[],"outputs":[{"name":"y","parameters":{"classification":0}}]})", "classification"},
      {R"({"inputs":[],"outputs":[{}]})", "an output has no \"name\""},
  };
  for (const auto& c : cases) {
    auto request = Decode(c.body);
    EXPECT_EQ(request.status().code(), Code::kInvalidArgument) << c.body;
    EXPECT_THAT(request.status().text(), HasSubstr(c.text)) << c.body;
  }
}

TEST(DecodeInfer, BinaryTensorsFollowTheJson) {
  const std::string json =
      R"({"inputs":[{"name":"a","datatype":"FP16","shape":[2],"parameters":{"binary_data_size":4}},)"
      R"({"name":"b","datatype":"INT8","shape":[3],"parameters":{"binary_data_size":3}}],)"
      R"("outputs":[{"name":"y","parameters":{"binary_data":false}},{"name":"z"}],)"
      R"("parameters":{"binary_data_output":true,"timeout":5000}})";
  auto request = Decode(json + "abcdXYZ", std::to_string(json.size()));
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  EXPECT_EQ(Values<char>(request->inputs[0]), (std::vector<char>{'a', 'b', 'c', 'd'}));
  EXPECT_EQ(Values<char>(request->inputs[1]), (std::vector<char>{'X', 'Y', 'Z'}));
  EXPECT_TRUE(request->binary_by_default);
  EXPECT_EQ(request->binary_outputs, (std::vector<int8_t>{0, -1}));
  EXPECT_EQ(request->timeout_us, 5000);
  struct {
    std::string tail;
    std::string header;
    const char* text;
  } cases[] = {{"abcdXY", std::to_string(json.size()), "binary_data_size is 3, but only 2 bytes are left"},
               {"abcdXYZ!", std::to_string(json.size()), "1 bytes follow the last binary input"},
               {"abcdXYZ", "", "only 0 bytes are left"},
               {"abcdXYZ", "1x", "must be the number of JSON bytes"},
               {"abcdXYZ", "-1", "must be the number of JSON bytes"},
               {"abcdXYZ", "99999999999999999999", "must be the number of JSON bytes"},
               {"", "100000", "says 100000 bytes of JSON"}};
  for (const auto& c : cases) EXPECT_THAT(Decode(json + c.tail, c.header).status().text(), HasSubstr(c.text));
}

Tensor Output(const std::string& name, DType dtype, const Shape& shape, std::string_view bytes) {
  Buffer buffer = Buffer::Allocate(bytes.size());
  std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return {name, dtype, shape, std::move(buffer)};
}

TEST(EncodeInfer, JsonAndBinary) {
  const float floats[] = {1.5f, std::nanf(""), -std::numeric_limits<float>::infinity(), 0.1f};
  serving::InferResponse response{"m", 3, {}};
  response.outputs.push_back(
      Output("y", DType::kFp32, {2, 2}, {reinterpret_cast<const char*>(floats), sizeof floats}));
  response.outputs.push_back(Output("s", DType::kBytes, {1}, std::string_view("\2\0\0\0a\"", 6)));
  response.outputs.push_back(Output("h", DType::kFp16, {1}, "ab"));
  RestInferRequest request;
  request.id = "i";
  request.outputs = {"y", "s", "h"};
  request.binary_outputs = {-1, 0, 1};
  auto answer = EncodeInfer(request, response);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->json,
            R"({"model_name":"m","model_version":"3","id":"i","outputs":[)"
            R"({"name":"y","datatype":"FP32","shape":[2,2],"data":[1.5,null,null,0.1]},)"
            R"({"name":"s","datatype":"BYTES","shape":[1],"data":["a\""]},)"
            R"({"name":"h","datatype":"FP16","shape":[1],"parameters":{"binary_data_size":2}}]})");
  ASSERT_EQ(answer->binary.size(), 1u);
  EXPECT_EQ(answer->binary[0], "ab");
  request.binary_outputs = {0, 0, 0};
  EXPECT_THAT(EncodeInfer(request, response).status().text(), HasSubstr("ask for it with"));
  response.outputs[1] = Output("s", DType::kBytes, {1}, std::string_view("\1\0\0\0\xff", 5));
  response.outputs.pop_back();
  EXPECT_THAT(EncodeInfer(request, response).status().text(), HasSubstr("no UTF-8"));
}

}  // namespace
}  // namespace snug::server
