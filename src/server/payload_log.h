// The payload log: sampled requests in files of records, a directory for each model, bounded in bytes.
//
// DIR/MODEL/current.records is written; when it holds half of the model's bytes it becomes previous.records,
// and the one before that goes. Both can be put into a version's `warmup` directory.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "base/metrics.h"
#include "serving/payload_sampler.h"

namespace snug::server {

// Records that wait to be written; further ones are dropped and counted.
constexpr uint64_t kPayloadQueueBytesMax = uint64_t{64} << 20;

// Thread-safe. Files are written on a thread of its own.
class PayloadLog : public serving::PayloadSink {
 public:
  explicit PayloadLog(std::string directory);
  ~PayloadLog() override;  // writes what waits

  void Log(const serving::InferRequest& request, const repository::PayloadLogConfig& config) override;
  void Log(const serving::PredictRequest& request, const repository::PayloadLogConfig& config) override;

  uint64_t written() const { return written_.value(); }
  uint64_t dropped() const { return dropped_.value(); }

 private:
  struct Entry {
    std::string model;
    std::string record;
    uint64_t file_bytes_max = 0;
  };
  void Add(Entry entry);
  void Run();
  Status Write(const Entry& entry) const;

  const std::string directory_;
  Counter written_, dropped_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> waiting_;
  uint64_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace snug::server
