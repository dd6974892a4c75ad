// Keeps one process running, or stopped, in small steps, so that a crash of ours between any two of them
// heals.
//
// The order at a start: record "about to start" → spawn → record the pid. Whoever comes after us finds the
// process by its record, or, when we died before the second record, by an argument that names our state
// directory. Two processes under one name end with one of them killed.
//
// Not thread-safe: one thread steps it.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/backoff.h"
#include "deploy/outside.h"
#include "deploy/wire.h"

namespace snug::deploy {

struct Command {
  os::SpawnOptions spawn;
  // An argument and its value that only our process of this name has, such as --ready-file
  // DIR/servers/g1-0/ready.json.
  std::string identity_flag;
  std::string identity_value;
  std::string fingerprint;               // a running process with another one is replaced; empty: never
  std::vector<std::string> stale_files;  // removed before each start
};

// Restart limits. The first failure after kStableAfter of health restarts at once.
inline constexpr Duration kRestartDelayFirst = std::chrono::milliseconds(200);
inline constexpr Duration kRestartDelayMax = std::chrono::seconds(30);
inline constexpr Duration kStableAfter = std::chrono::seconds(10);

class ProcessKeeper {
 public:
  // `record_file`: DIR/run/<id>.json.
  ProcessKeeper(Outside& outside, std::string id, std::string record_file)
      : outside_(outside), id_(std::move(id)), record_file_(std::move(record_file)) {}

  // Once, before the first step: takes over what runs already, from the record or from `found`.
  void Adopt(const std::string& identity_flag, const std::string& identity_value,
             std::span<const FoundProcess> found);

  // One step towards running. The first failure after health restarts at once, later ones wait.
  void KeepRunning(const Command& command);
  // One step towards stopped: SIGTERM, SIGKILL after `grace`. True when nothing runs and the record is gone.
  bool KeepStopped(Duration grace);
  // The owner found it hung.
  void Kill(const std::string& reason);
  // The owner found it well.
  void Healthy() { last_reason_.clear(); }

  const std::optional<os::ProcessId>& process() const { return process_; }
  TimePoint started() const { return started_; }
  bool stopping() const { return stopping_since_.has_value(); }
  int restarts() const { return restarts_; }
  const std::string& reason() const { return last_reason_; }  // why it does not run

 private:
  void Start(const Command& command);
  void Failed(const std::string& reason, Duration uptime);
  void NoticeDeath();
  Status Record(const ProcessRecord& record);

  Outside& outside_;
  std::string id_, record_file_;
  std::optional<os::ProcessId> process_;
  std::string fingerprint_;
  TimePoint started_{};
  std::optional<TimePoint> stopping_since_;
  bool killed_ = false;
  TimePoint next_start_{};
  Backoff backoff_{{kRestartDelayFirst, kRestartDelayMax, kStableAfter, true}};
  int restarts_ = 0;
  std::string last_reason_;
};

// Whether `process` runs `program`'s name with `flag value` among its arguments.
bool HasIdentity(const FoundProcess& process, const std::string& flag, const std::string& value);

}  // namespace snug::deploy
