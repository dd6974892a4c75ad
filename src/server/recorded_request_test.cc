#include "server/recorded_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "server/record_file.h"
#include "server/warmup_files.h"
#include "serving/testing/fakes.h"

namespace snug::server {
namespace {

using serving::Floats;
using testing::HasSubstr;

serving::InferRequest Request() {
  serving::InferRequest request;
  request.model = "m";
  request.signature = "s";
  request.inputs = {Floats("x", {1, 2}, {1, 2}), Floats("e", {0}, {})};
  return request;
}

TEST(RecordFile, ChecksumIsCastagnolis) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
}

TEST(RecordFile, FindsWhatWasWrittenAndNoticesDamage) {
  std::string file;
  for (const char* record : {"one", "", "three"}) AppendRecord(record, file);
  RecordReader reader(file);
  EXPECT_EQ(**reader.Next(), "one");
  EXPECT_EQ(**reader.Next(), "");
  EXPECT_EQ(**reader.Next(), "three");
  EXPECT_FALSE(reader.Next()->has_value());
  for (size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    RecordReader records(damaged);
    Status status;
    for (int n = 0; n < 4 && status.ok(); ++n) status = records.Next().status();
    EXPECT_EQ(status.code(), Code::kDataLoss) << "byte " << i;
    RecordReader cut(std::string_view(file).substr(0, i));
    auto record = cut.Next();
    while (record.ok() && record->has_value()) record = cut.Next();
    const bool at_an_end = i == 0 || i == 19 || i == 35;
    EXPECT_EQ(record.ok(), at_an_end) << "byte " << i;
  }
}

TEST(RecordedRequest, TensorsComeBack) {
  auto decoded = DecodeRecorded(EncodeRecorded(Request(), 1.7e9));
  ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
  EXPECT_EQ(decoded->signature, "s");
  ASSERT_EQ(decoded->inputs.size(), 2u);
  EXPECT_EQ(decoded->inputs[0].shape, (Shape{1, 2}));
  float values[2];
  ASSERT_EQ(decoded->inputs[0].buffer.size(), sizeof values);
  std::memcpy(values, decoded->inputs[0].buffer.data(), sizeof values);
  EXPECT_EQ(values[1], 2.0f);
  EXPECT_EQ(decoded->inputs[1].buffer.size(), 0u);
}

TEST(RecordedRequest, PayloadsComeBack) {
  serving::PredictRequest request;
  request.content_type = "image/\"png\"";
  request.payload = "{not json}";
  request.parameters = {{"top_k", "2"}};
  auto decoded = DecodeRecorded(EncodeRecorded(request, 1.7e9));
  ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
  EXPECT_TRUE(decoded->is_payload);
  EXPECT_EQ(decoded->content_type, "image/\"png\"");
  EXPECT_EQ(decoded->payload, "{not json}");
  EXPECT_EQ(decoded->parameters, request.parameters);
}

TEST(RecordedRequest, RubbishIsRefused) {
  const std::string good = EncodeRecorded(Request(), 1.7e9);
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(DecodeRecorded(good.substr(0, size)).ok()) << size;
  EXPECT_FALSE(DecodeRecorded(good + "x").ok());
}

class WarmupFilesTest : public testing::Test {
 protected:
  WarmupFilesTest() {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_ + "/warmup");
  }
  ~WarmupFilesTest() override { std::filesystem::remove_all(directory_); }
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(directory_ + "/warmup/" + name, std::ios::binary) << content;
  }
  const std::string directory_ = testing::TempDir() + "/snug_warmup_files";
};

TEST_F(WarmupFilesTest, ReadsEachKindInTheOrderOfTheNames) {
  Write("1.json", R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]})");
  Write("2.png", "pixels");
  std::string records;
  AppendRecord(EncodeRecorded(Request(), 0), records);
  AppendRecord(EncodeRecorded(Request(), 0), records);
  Write("3.records", records);
  Write(".hidden", "x");
  auto requests = ReadWarmupFiles(directory_);
  ASSERT_TRUE(requests.ok()) << requests.status().ToString();
  ASSERT_EQ(requests->size(), 4u);
  EXPECT_EQ((*requests)[0].inputs.size(), 1u);
  EXPECT_EQ((*requests)[1].content_type, "image/png");
  EXPECT_EQ((*requests)[1].payload, "pixels");
  EXPECT_THAT((*requests)[3].origin, HasSubstr("3.records, record 2"));
}

TEST_F(WarmupFilesTest, ErrorsNameTheFile) {
  EXPECT_TRUE(ReadWarmupFiles(directory_ + "/none")->empty());
  Write("a.json", "{");
  EXPECT_THAT(ReadWarmupFiles(directory_).status().text(), HasSubstr("warmup/a.json: "));
  Write("a.json", R"({"inputs":[]})");
  std::string records;
  AppendRecord("rubbish", records);
  Write("b.records", records);
  EXPECT_THAT(ReadWarmupFiles(directory_).status().text(),
              HasSubstr("warmup/b.records, record 1: not a recorded"));
}

}  // namespace
}  // namespace snug::server
