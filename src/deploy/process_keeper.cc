#include "deploy/process_keeper.h"

#include <csignal>

#include "base/log.h"

namespace snug::deploy {

bool HasIdentity(const FoundProcess& process, const std::string& flag, const std::string& value) {
  const auto& argv = process.argv;
  for (size_t i = 1; i + 1 < argv.size(); ++i) {
    if (argv[i] == flag && argv[i + 1] == value) return true;
  }
  return false;
}

void ProcessKeeper::Adopt(const std::string& identity_flag, const std::string& identity_value,
                          std::span<const FoundProcess> found) {
  if (auto text = outside_.ReadFile(record_file_); text.ok()) {
    auto record = ParseRecord(*text);
    if (record.ok() && record->process.pid != 0 && outside_.IsAlive(record->process))
      process_ = record->process;
    if (record.ok()) fingerprint_ = record->fingerprint;
  }
  for (const FoundProcess& candidate : found) {
    if (!HasIdentity(candidate, identity_flag, identity_value) || candidate.id == process_) continue;
    if (!process_) {
      process_ = candidate.id;
      continue;
    }
    log::Warning("a second process of the same name is killed",
                 {{"id", id_}, {"pid", std::to_string(candidate.id.pid)}});
    (void)outside_.Signal(candidate.id, SIGKILL);
  }
  if (!process_) return;
  started_ = outside_.Now();
  log::Info("process adopted", {{"id", id_}, {"pid", std::to_string(process_->pid)}});
  if (Status status = Record({*process_, fingerprint_}); !status.ok()) last_reason_ = status.text();
}

void ProcessKeeper::KeepRunning(const Command& command) {
  NoticeDeath();
  bool outdated = process_ && !command.fingerprint.empty() && command.fingerprint != fingerprint_;
  if (outdated && !stopping_since_) {
    log::Info("process is replaced: its configuration changed", {{"id", id_}});
    stopping_since_ = outside_.Now();
    (void)outside_.Signal(*process_, SIGTERM);
  }
  if (process_ && stopping_since_) {
    // It was told to stop and is wanted again: a new one starts when the old one is gone.
    if (outside_.Now() - *stopping_since_ > kRestartDelayMax) (void)outside_.Signal(*process_, SIGKILL);
    return;
  }
  if (!process_ && outside_.Now() >= next_start_) Start(command);
}

bool ProcessKeeper::KeepStopped(Duration grace) {
  NoticeDeath();
  if (!process_) {
    stopping_since_.reset();
    return outside_.Remove(record_file_).ok();
  }
  TimePoint now = outside_.Now();
  if (!stopping_since_) {
    stopping_since_ = now;
    (void)outside_.Signal(*process_, SIGTERM);
  } else if (now - *stopping_since_ > grace) {
    (void)outside_.Signal(*process_, SIGKILL);
  }
  return false;
}

void ProcessKeeper::Kill(const std::string& reason) {
  if (!process_) return;
  log::Warning("process killed", {{"id", id_}, {"why", reason}});
  (void)outside_.Signal(*process_, SIGKILL);
  killed_ = true;
  last_reason_ = reason;
}

void ProcessKeeper::NoticeDeath() {
  if (!process_ || outside_.IsAlive(*process_)) return;
  auto pid = std::to_string(process_->pid);
  process_.reset();
  if (stopping_since_) {
    stopping_since_.reset();
    log::Info("process stopped", {{"id", id_}, {"pid", pid}});
    return;
  }
  ++restarts_;
  Duration well = killed_ ? Duration{0} : outside_.Now() - started_;  // what hung was not well
  std::string reason = killed_ ? last_reason_ : fmt::format("process {} ended by itself; see its log", pid);
  killed_ = false;
  Failed(reason, well);
}

void ProcessKeeper::Failed(const std::string& reason, Duration uptime) {
  Duration delay = backoff_.Next(uptime);
  next_start_ = outside_.Now() + delay;
  log::Warning("process does not run",
               {{"id", id_}, {"why", reason}, {"next_start_s", fmt::format("{:.1f}", Seconds(delay))}});
  last_reason_ = reason;
}

void ProcessKeeper::Start(const Command& command) {
  if (Status status = Record({{}, command.fingerprint}); !status.ok()) return Failed(status.text(), {});
  for (const std::string& file : command.stale_files) {
    if (Status status = outside_.Remove(file); !status.ok()) return Failed(status.text(), {});
  }
  auto process = outside_.Spawn(command.spawn);
  if (!process.ok()) return Failed(process.status().text(), {});
  process_ = *process;
  fingerprint_ = command.fingerprint;
  started_ = outside_.Now();
  log::Info("process started", {{"id", id_}, {"pid", std::to_string(process_->pid)}});
  // Without this record the next controller still finds the process by its arguments.
  if (Status status = Record({*process_, fingerprint_}); !status.ok()) {
    log::Warning("process record not written", {{"id", id_}, {"why", status.text()}});
  }
}

Status ProcessKeeper::Record(const ProcessRecord& record) {
  return outside_.WriteFile(record_file_, RecordText(record));
}

}  // namespace snug::deploy
