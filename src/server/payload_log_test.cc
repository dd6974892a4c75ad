#include "server/payload_log.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "os/files.h"
#include "server/record_file.h"
#include "server/recorded_request.h"
#include "serving/testing/fakes.h"

namespace snug::server {
namespace {

class PayloadLogTest : public testing::Test {
 protected:
  PayloadLogTest() { std::filesystem::remove_all(directory_); }
  ~PayloadLogTest() override { std::filesystem::remove_all(directory_); }

  static serving::InferRequest Request(size_t floats) {
    serving::InferRequest request;
    request.model = "m";
    request.inputs = {serving::Floats("x", {static_cast<int64_t>(floats)}, std::vector<float>(floats, 0.5f))};
    return request;
  }
  size_t Records(const std::string& name) const {
    auto file = os::ReadFile(directory_ + "/m/" + name);
    if (!file.ok()) return 0;
    RecordReader records(*file);
    size_t count = 0;
    for (auto record = records.Next(); record.ok() && record->has_value(); record = records.Next()) {
      count += DecodeRecorded(**record).ok() ? 1 : 0;
    }
    return count;
  }
  const std::string directory_ = testing::TempDir() + "/snug_payload_log";
};

TEST_F(PayloadLogTest, WhatIsLoggedCanBeReadAgain) {
  {
    PayloadLog log(directory_);
    for (int i = 0; i < 3; ++i) log.Log(Request(4), {1.0, 1});
    serving::PredictRequest payload;
    payload.model = "m";
    payload.payload = "text";
    log.Log(payload, {1.0, 1});
  }
  EXPECT_EQ(Records("current.records"), 4u);
}

TEST_F(PayloadLogTest, IsBoundedInBytes) {
  {
    PayloadLog log(directory_);
    for (int i = 0; i < 60; ++i) log.Log(Request(10'000), {1.0, 1});
    log.Log(Request(200'000), {1.0, 1});
  }
  uint64_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory_ + "/m")) bytes += file.file_size();
  EXPECT_LE(bytes, 1u << 20);
  EXPECT_EQ(Records("previous.records"), 13u) << "as many as fit in half a MiB";
  EXPECT_GT(Records("current.records"), 0u);
}

TEST_F(PayloadLogTest, WhatCannotBeWrittenIsCounted) {
  std::filesystem::create_directories(directory_ + "/m/current.records");
  PayloadLog log(directory_);
  log.Log(Request(4), {1.0, 1});
  while (log.dropped() == 0) std::this_thread::yield();
  log.Log(Request(200'000), {1.0, 1});
  EXPECT_EQ(log.dropped(), 2u) << "larger than a file may be";
  EXPECT_EQ(log.written(), 0u);
}

TEST(PayloadSampler, TakesTheRateEvenly) {
  for (double rate : {0.0, 0.01, 0.3, 1.0}) {
    serving::PayloadSampler sampler({rate, 1});
    int taken = 0;
    for (int i = 0; i < 10'000; ++i) taken += sampler.Take() ? 1 : 0;
    EXPECT_NEAR(taken, 10'000 * rate, 1);
  }
}

}  // namespace
}  // namespace snug::server
