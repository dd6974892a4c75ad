#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>

#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/find_programs.h"
#include "cli/free_port.h"
#include "cli/json_access.h"
#include "cli/limits.h"
#include "cli/readiness.h"
#include "cli/supervisor.h"
#include "os/files.h"

namespace snug::cli {
namespace {

constexpr int kLogLinesShown = 15;

std::string EnvironmentText(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void RotateLog(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || static_cast<uint64_t>(info.st_size) < kLogBytesMax) return;
  (void)std::rename(path.c_str(), (path + ".1").c_str());
}

std::string AbsoluteOrEmpty(const std::string& path) {
  return path.empty() ? "" : std::filesystem::absolute(path).lexically_normal().string();
}

// `last`: of a platform that was not stopped by `snug down`; nothing in it for a fresh start.
Result<PlatformConfig> MakeConfig(const Globals& globals, const UpOptions& options,
                                  const PlatformConfig& last) {
  PlatformConfig config{.state = globals.state};
  SNUG_ASSIGN_OR_RETURN(config.controller, FindSister("snug-controller", os::SelfPath()));
  std::string envoy = options.envoy.empty() ? EnvironmentText("SNUG_ENVOY") : options.envoy;
  if (envoy.empty() && os::Exists(last.envoy)) envoy = last.envoy;
  SNUG_ASSIGN_OR_RETURN(config.envoy,
                        FindEnvoy(AbsoluteOrEmpty(envoy), os::SelfPath(), EnvironmentText("PATH")));
  config.port = options.port.value_or(last.port != 0 ? last.port : kPortDefault);
  config.front_door_port = options.front_door_port.value_or(
      last.front_door_port != 0 ? last.front_door_port : kFrontDoorPortDefault);
  config.threads = options.threads != 0 ? options.threads : last.threads;
  config.plugins = options.plugins.empty() ? last.plugins : AbsoluteOrEmpty(options.plugins);
  config.controller_options = options.controller_options;
  config.controller_options.insert(last.controller_options.begin(), last.controller_options.end());
  config.token_file = globals.token_file.empty() ? last.token_file : AbsoluteOrEmpty(globals.token_file);
  return config;
}

// Refuses a port that another program has, and chooses one for 0. The front door of this platform may have
// outlived its controller and hold its port.
Status ClaimPorts(PlatformConfig& config) {
  SNUG_ASSIGN_OR_RETURN(config.port, FreePort(config.port, "--port"));
  if (config.front_door_port != 0 && !FindProcesses(config.state).empty()) return {};
  SNUG_ASSIGN_OR_RETURN(config.front_door_port, FreePort(config.front_door_port, "--front-door-port"));
  return {};
}

// The configuration to start or adopt by, written where supervisors read it. A controller that runs keeps its
// own.
Result<PlatformConfig> PrepareConfig(const Globals& globals, const UpOptions& options) {
  auto last = ReadConfig(globals.state);
  if (FindController(globals.state).ok() && last.ok()) return last;
  SNUG_ASSIGN_OR_RETURN(PlatformConfig config,
                        MakeConfig(globals, options, last.ok() ? *last : PlatformConfig()));
  SNUG_RETURN_IF_ERROR(ClaimPorts(config));
  SNUG_RETURN_IF_ERROR(WriteConfig(config));
  RotateLog(ControllerLog(globals.state));
  RotateLog(SupervisorLog(globals.state));
  return config;
}

Status DidNotStart(const std::string& state) {
  auto tail = os::TailFile(ControllerLog(state), kLogLinesShown);
  auto supervisor = os::TailFile(SupervisorLog(state), 3);
  return FailedPrecondition("the platform did not start. The end of {}:\n{}{}", ControllerLog(state),
                            tail.ok() ? *tail : "(empty)\n", supervisor.ok() ? *supervisor : "");
}

// Starts the supervisor in a session of its own, and waits until it has made itself known.
Status StartSupervisor(const std::string& state) {
  SNUG_ASSIGN_OR_RETURN(auto supervisor, os::Spawn({.argv = {os::SelfPath(), "supervise", "--state", state},
                                                    .log_file = SupervisorLog(state),
                                                    .working_dir = "/"}));
  TimePoint deadline = SystemClock().Now() + kKillLimit;
  while (SystemClock().Now() < deadline) {
    if (FindSupervisor(state).ok()) return {};
    if (!os::IsAlive(supervisor)) return DidNotStart(state);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return Error(Code::kDeadlineExceeded, "the supervisor did not start within {:.0f} s: {} may say why",
               Seconds(kKillLimit), SupervisorLog(state));
}

// A controller.json that a controller of before wrote must not be asked.
bool ControllerIsKnown(const std::string& state) {
  auto controller = FindController(state);
  auto file = ReadControllerFile(state);
  return controller.ok() && file.ok() && file->pid == controller->pid;
}

struct Waited {
  Json status;          // the last that the controller said; null before
  Readiness readiness;  // of it
};

Waited AskOnce(const Globals& globals, bool alive) {
  Waited waited{nullptr, {.text = "the controller is starting"}};
  if (!alive || !ControllerIsKnown(globals.state)) return waited;
  Globals here = globals;
  here.api.clear();  // the one of this state directory, whatever SNUG_API says
  auto api = ApiClient::Create(here);
  auto status = api.ok() ? api->Get("/api/v1/status") : Result<Json>(api.status());
  if (!status.ok()) return waited;
  return {*status, JudgeStatus(*status)};
}

// Until all is ready, the time is over, or `stop` says so.
Result<Waited> WaitReady(const Globals& globals, double seconds, const std::function<bool()>& stop,
                         const std::function<bool()>& supervised) {
  TimePoint begin = SystemClock().Now();
  for (;;) {
    bool alive = supervised();
    Waited waited = AskOnce(globals, alive);
    if (waited.readiness.platform && waited.readiness.models) return waited;
    if (!alive) return DidNotStart(globals.state);
    if (stop() || Seconds(SystemClock().Now() - begin) > seconds) return waited;
    std::this_thread::sleep_for(kPollPause);
  }
}

void PrintUp(const Session& session, const Json& status, const char* headline) {
  const Globals& globals = session.globals;
  std::string api = TextOf(status, "api");
  std::string door = TextOf(status, "front_door");
  auto config = ReadConfig(globals.state);
  std::string curl = CurlCommand(api + "/api/v1/status", config.ok() ? config->token_file : "");
  session.terminal.out << fmt::format(
      "{}\n  api         {}\n  front door  {}  (gRPC and REST)\n  state       {}\ntry:\n  {}\n"
      "  {} deploy ./my_model_dir --name mine\n",
      headline, api, door, globals.state, curl, SnugCommand(globals));
  for (const auto& warning : ListOf(status, "warnings")) {
    if (warning.is_string()) session.terminal.err << "snug: warning: " << warning.get<std::string>() << "\n";
  }
  session.terminal.out.flush();
}

int Report(const Session& session, const Result<Waited>& waited, double seconds, bool already) {
  if (!waited.ok()) return Fail(session, waited.status());
  const Json& status = waited->status;
  bool json = session.globals.json;
  if (json && waited->readiness.platform) {
    session.terminal.out << Dump({{"running_already", already}, {"status", status}}) << std::endl;
  }
  if (!json && waited->readiness.platform) {
    PrintUp(session, status, already ? "snug is running already" : "snug is running");
  }
  if (waited->readiness.platform && waited->readiness.models) return kExitOk;
  return Fail(session,
              Error(Code::kDeadlineExceeded, "not ready after {:.0f} s: {}. It goes on: see `{} status`",
                    seconds, waited->readiness.text, SnugCommand(session.globals)));
}

int RunDetached(const Session& session, const UpOptions& options, bool already) {
  const std::string& state = session.globals.state;
  bool may_replace = already;
  auto waited = WaitReady(
      session.globals, options.wait_seconds, [] { return false; },
      [&state, &may_replace] {
        if (FindSupervisor(state).ok()) return true;
        // The one that we found was on its way out, killed a moment ago: it gets a successor, once.
        return std::exchange(may_replace, false) && StartSupervisor(state).ok();
      });
  return Report(session, waited, options.wait_seconds, already);
}

int RunForeground(const Session& session, const UpOptions& options, PlatformConfig config,
                  os::UniqueFd start_lock) {
  Supervisor::BlockSignals();
  Supervisor supervisor(std::move(config));
  std::jthread announcer([&](const std::stop_token& stop) {
    auto waited = WaitReady(
        session.globals, options.wait_seconds, [&stop] { return stop.stop_requested(); },
        [] { return true; });
    if (stop.stop_requested()) return;
    Report(session, waited, options.wait_seconds, false);
    if (session.terminal.err_is_terminal) session.terminal.err << "Ctrl-C stops everything\n";
  });
  start_lock.Reset();
  Status status = supervisor.Run();
  announcer.request_stop();
  announcer.join();
  for (const auto& left : supervisor.report().left)
    session.terminal.err << "snug: still runs: " << left << "\n";
  if (!status.ok()) return Fail(session, DidNotStart(session.globals.state).Annotate(status.text()));
  return supervisor.report().left.empty() ? kExitOk : kExitFailed;
}

Result<int> Up(const Session& session, const UpOptions& options) {
  const std::string& state = session.globals.state;
  SNUG_RETURN_IF_ERROR(os::MakeDirs(state));
  SNUG_ASSIGN_OR_RETURN(os::UniqueFd lock, LockStart(state));
  bool already = FindSupervisor(state).ok();
  if (already && options.foreground) {
    return FailedPrecondition("snug is running already for {}: `{} down` stops it", state,
                              SnugCommand(session.globals));
  }
  if (!already) {
    SNUG_ASSIGN_OR_RETURN(PlatformConfig config, PrepareConfig(session.globals, options));
    if (options.foreground) return RunForeground(session, options, std::move(config), std::move(lock));
    SNUG_RETURN_IF_ERROR(StartSupervisor(state));
  }
  lock.Reset();
  return RunDetached(session, options, already);
}

}  // namespace

int RunUp(const Session& session, const UpOptions& options) {
  auto result = Up(session, options);
  return result.ok() ? *result : Fail(session, result.status());
}

int RunSupervise(const Session& session) {
  auto config = ReadConfig(session.globals.state);
  if (!config.ok()) return Fail(session, config.status());
  Status status = Supervisor(*std::move(config)).Run();
  return status.ok() ? kExitOk : Fail(session, status);
}

}  // namespace snug::cli
