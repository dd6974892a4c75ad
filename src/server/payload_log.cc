#include "server/payload_log.h"

#include <filesystem>
#include <fstream>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "os/files.h"
#include "server/record_file.h"
#include "server/recorded_request.h"

namespace snug::server {
namespace {

uint64_t FileBytesMax(const repository::PayloadLogConfig& config) {
  return (static_cast<uint64_t>(config.mib_max) << 20) / 2;
}

}  // namespace

PayloadLog::PayloadLog(std::string directory)
    : directory_(std::move(directory)), thread_([this] { Run(); }) {}

PayloadLog::~PayloadLog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void PayloadLog::Log(const serving::InferRequest& request, const repository::PayloadLogConfig& config) {
  Add({request.model, EncodeRecorded(request, SystemClock().WallSeconds()), FileBytesMax(config)});
}

void PayloadLog::Log(const serving::PredictRequest& request, const repository::PayloadLogConfig& config) {
  Add({request.model, EncodeRecorded(request, SystemClock().WallSeconds()), FileBytesMax(config)});
}

void PayloadLog::Add(Entry entry) {
  const uint64_t bytes = entry.record.size() + kRecordOverheadBytes;
  std::lock_guard lock(mutex_);
  if (bytes > entry.file_bytes_max || waiting_bytes_ + bytes > kPayloadQueueBytesMax) return dropped_.Add();
  waiting_bytes_ += bytes;
  waiting_.push_back(std::move(entry));
  changed_.notify_one();
}

void PayloadLog::Run() {
  bool failed = false;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Entry entry = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= entry.record.size() + kRecordOverheadBytes;
    lock.unlock();
    Status status = Write(entry);
    (status.ok() ? written_ : dropped_).Add();
    if (!status.ok() && !failed)
      log::Error("the payload log cannot be written", {{"reason", status.ToString()}});
    failed = !status.ok();  // told once, until it works again
    lock.lock();
  }
}

Status PayloadLog::Write(const Entry& entry) const {
  const std::string directory = directory_ + "/" + entry.model;
  const std::string current = directory + "/current.records";
  SNUG_RETURN_IF_ERROR(os::MakeDirs(directory));
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(current, error);
  const uint64_t bytes = entry.record.size() + kRecordOverheadBytes;
  if (!error && size + bytes > entry.file_bytes_max) {
    std::filesystem::rename(current, directory + "/previous.records", error);
    if (error) return ErrnoError(error.value(), current);
  }
  std::string framed;
  AppendRecord(entry.record, framed);
  std::ofstream file(current, std::ios::binary | std::ios::app);
  file.write(framed.data(), static_cast<std::streamsize>(framed.size())).flush();
  return file ? Status() : ErrnoError(errno, current);
}

}  // namespace snug::server
