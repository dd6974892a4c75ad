#include "cli/supervisor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "base/log.h"
#include "cli/limits.h"

namespace snug::cli {
namespace {

sigset_t Signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&set, signal);
  return set;
}

// The next blocked signal, SIGCHLD and 0 (none within `limit`) included.
int NextSignal(Duration limit) {
  sigset_t set = Signals();
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
  timespec timeout{seconds.count(), static_cast<long>((limit - seconds).count())};
  int signal = ::sigtimedwait(&set, nullptr, &timeout);
  return signal > 0 ? signal : 0;
}

bool IsStop(int signal) {
  return signal == SIGTERM || signal == SIGINT || signal == SIGHUP;
}

// Waits for `limit` or until a signal asks to stop; true for the latter.
bool StopAskedWithin(Duration limit) {
  TimePoint deadline = SystemClock().Now() + limit;
  for (;;) {
    if (IsStop(NextSignal(std::min<Duration>(kPollPause, limit)))) return true;
    if (SystemClock().Now() >= deadline) return false;
  }
}

std::string Describe(const PlatformProcess& process) {
  return fmt::format("{} (pid {})", process.name, process.id.pid);
}

// True when it has ended.
bool WaitUnlessHurry(const os::ProcessId& process, Duration limit, const std::function<bool()>& hurry) {
  TimePoint deadline = SystemClock().Now() + limit;
  while (SystemClock().Now() < deadline && !hurry()) {
    if (os::WaitForExit(process, kPollPause).ok()) return true;
  }
  return !os::IsAlive(process);
}

void StopController(const std::string& state, const std::function<bool()>& hurry, StopReport& report) {
  auto controller = FindController(state);
  if (!controller.ok()) return;
  report.controller_ran = true;
  (void)os::Signal(*controller, SIGTERM);
  if (WaitUnlessHurry(*controller, kStopLimit, hurry)) return;
  report.killed.push_back(Describe({*controller, "snug-controller"}));
  (void)os::Signal(*controller, SIGKILL);
  (void)os::WaitForExit(*controller, kKillLimit);
}

// What no controller stopped: its own was killed, or did not know them yet. Repeats, for a process that is
// being killed may just have started another.
void KillLeftovers(const std::string& state, StopReport& report) {
  TimePoint deadline = SystemClock().Now() + kKillLimit;
  auto left = FindProcesses(state);
  for (; !left.empty() && SystemClock().Now() < deadline; left = FindProcesses(state)) {
    for (const auto& process : left) {
      report.killed.push_back(Describe(process));
      (void)os::Signal(process.id, SIGKILL);
    }
    for (const auto& process : left) (void)os::WaitForExit(process.id, kKillLimit);
  }
  for (const auto& process : left) report.left.push_back(Describe(process));
}

std::vector<std::string> ControllerCommand(const PlatformConfig& config) {
  std::vector<std::string> argv{config.controller,
                                "--state",
                                config.state,
                                "--port",
                                std::to_string(config.port),
                                "--front-door-port",
                                std::to_string(config.front_door_port),
                                "--envoy",
                                config.envoy};
  auto add = [&argv](const char* flag, const std::string& value) {
    if (!value.empty()) argv.insert(argv.end(), {flag, value});
  };
  add("--threads", config.threads > 0 ? std::to_string(config.threads) : "");
  add("--plugins", config.plugins);
  add("--token-file", config.token_file);
  for (const auto& [flag, value] : config.controller_options) argv.insert(argv.end(), {flag, value});
  return argv;
}

}  // namespace

StopReport StopPlatform(const std::string& state, const std::function<bool()>& hurry) {
  StopReport report;
  StopController(state, hurry, report);
  KillLeftovers(state, report);
  ::unlink((state + "/controller.json").c_str());
  ::unlink((state + "/platform.json").c_str());  // stopped on purpose: the next start begins with defaults
  return report;
}

void Supervisor::BlockSignals() {
  sigset_t set = Signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Status Supervisor::Lock() {
  std::string path = config_.state + "/supervisor.lock";
  lock_.Reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!lock_.valid()) return ErrnoError(errno, path);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return {};
  return FailedPrecondition("another supervisor runs for {}: stop it with `snug down`", config_.state);
}

Status Supervisor::StartController() {
  auto started = os::Spawn({.argv = ControllerCommand(config_),
                            .environment = {{kPlatformVariable, config_.state}},
                            .log_file = ControllerLog(config_.state)});
  SNUG_RETURN_IF_ERROR(started.status());
  controller_ = *started;
  started_ = SystemClock().Now();
  log::Info("controller started", {{"pid", std::to_string(controller_->pid)}});
  return {};
}

Status Supervisor::StartOrAdopt() {
  auto running = FindController(config_.state);
  if (!running.ok()) return StartController();
  controller_ = *running;
  started_ = SystemClock().Now();
  log::Info("controller adopted", {{"pid", std::to_string(controller_->pid)}});
  return {};
}

bool Supervisor::Listened() const {
  auto file = ReadControllerFile(config_.state);
  return file.ok() && file->pid == controller_->pid;
}

// Starts it again after the pause that the policy wants.
Status Supervisor::AfterEnd() {
  auto pause = policy_.OnEnd(SystemClock().Now() - started_, Listened());
  if (!pause) {
    return FailedPrecondition("the controller does not come up: {} says why", ControllerLog(config_.state));
  }
  log::Warning("controller ended", {{"pid", std::to_string(controller_->pid)},
                                    {"restart_in_ms", fmt::format("{:.0f}", Seconds(*pause) * 1000)}});
  if (StopAskedWithin(*pause)) {
    controller_.reset();
    return {};
  }
  return StartOrAdopt();
}

Status Supervisor::Run() {
  BlockSignals();
  SNUG_RETURN_IF_ERROR(Lock());
  SNUG_ASSIGN_OR_RETURN(os::ProcessId self, os::Identify(::getpid()));
  SNUG_RETURN_IF_ERROR(WriteSupervisorRecord(config_.state, self));
  Status status = StartOrAdopt();
  while (status.ok() && controller_ && !IsStop(NextSignal(kPollPause))) {
    if (!os::IsAlive(*controller_)) status = AfterEnd();
  }
  log::Info("stopping");
  report_ = StopPlatform(config_.state, [] { return IsStop(NextSignal(Duration(0))); });
  for (const auto& killed : report_.killed) log::Warning("killed", {{"process", killed}});
  ::unlink((config_.state + "/supervisor.json").c_str());
  return status;
}

}  // namespace snug::cli
