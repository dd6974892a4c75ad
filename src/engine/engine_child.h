// One run of an engine process, from the host's side.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "engine/commands.h"
#include "os/process.h"
#include "os/unique_fd.h"

namespace snug::engine {

constexpr int kLoadSecondsMax = 600;
constexpr int kCreateInstanceSecondsMax = 120;

// Thread-safe but for WaitForEnd.
class EngineChild {
 public:
  // Starts the program; it dies with the calling THREAD (that is how Linux reads "parent"), so call it on one
  // that lives as long as the child may.
  static Result<std::shared_ptr<EngineChild>> Start(const std::string& program, const std::string& label);
  ~EngineChild();
  EngineChild(const EngineChild&) = delete;
  EngineChild& operator=(const EngineChild&) = delete;

  // Blocks until the model is loaded. UNAVAILABLE: the process died; DEADLINE_EXCEEDED after kLoadSecondsMax.
  Result<ModelInfo> Load(const LoadCommand& command);
  // A socket whose other end serves a new instance.
  Result<os::UniqueFd> CreateInstance(const std::string& signature);

  // Tells it to; nothing comes back, not even that it is gone.
  void Trim(bool idle);

  // Blocks until the process has ended, and reaps it. Called by one thread, once.
  void WaitForEnd();
  // How it ended, "died (signal 11)" or "ended (exit status 3)", once WaitForEnd knows; nothing if not within
  // `limit`.
  std::optional<std::string> AwaitEnd(Duration limit);

  void RequestEnd();  // closes the channel: the process unloads and ends
  void Kill();
  int64_t pid() const { return process_.pid; }

 private:
  EngineChild(os::ProcessId process, os::UniqueFd control)
      : process_(process), control_(std::move(control)) {}
  Result<std::string> Ask(const std::string& json, std::span<const int> fds, int seconds_max);

  const os::ProcessId process_;
  const os::UniqueFd control_;
  std::mutex control_mutex_;  // one command at a time
  std::mutex mutex_;
  std::condition_variable ended_;
  std::optional<std::string> end_;  // set just before the pid is free for others
};

}  // namespace snug::engine
