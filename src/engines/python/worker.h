// The process that runs one instance of a Python model: started, asked, killed. Inside the plug-in errors are
// thrown as kit::Failure.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "engine.h"
#include "os/process.h"
#include "os/unique_fd.h"

namespace snug::python {

using LogFunction = void (*)(int32_t level, const char* text);

constexpr size_t kMessageBytesMax = 128 << 10;  // as in snug_worker.py
constexpr size_t kLogLineCharsMax = 1000;

struct WorkerOptions {
  std::string interpreter;
  std::string script;
  std::string label;  // for people: "ocr/3"
  int threads = 1;    // for the pools of numpy's and others' libraries
  LogFunction log = nullptr;
};

struct Answer {
  nlohmann::json body;  // {"code": 0, …}
  os::UniqueFd region;  // attached
};

// Not thread-safe. The process dies with this and with our process.
class Worker {
 public:
  explicit Worker(const WorkerOptions& options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Sends a message and waits for the answer. UNAVAILABLE: the process died (the text says how);
  // DEADLINE_EXCEEDED: no answer within `limit`, it was killed. After both the worker is of no more use.
  Result<Answer> Ask(const nlohmann::json& message, int fd, Duration limit);

  pid_t pid() const { return process_.pid; }
  TimePoint started() const { return started_; }

 private:
  Status AwaitReadable(Duration limit);
  Status Died();
  void ReadLog();

  const WorkerOptions options_;
  const TimePoint started_;
  os::ProcessId process_;
  os::UniqueFd channel_;
  os::UniqueFd pidfd_;
  os::UniqueFd log_;
  std::thread log_reader_;
  std::vector<std::byte> buffer_;
  bool reaped_ = false;
};

}  // namespace snug::python
