#include <unistd.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/json_access.h"
#include "cli/limits.h"
#include "cli/supervisor.h"
#include "os/files.h"

namespace snug::cli {
namespace {

// Ends the supervisor, which ends the rest.
void StopSupervisor(const std::string& state) {
  auto supervisor = FindSupervisor(state);
  if (!supervisor.ok()) return;
  (void)os::Stop(*supervisor, kStopLimit + 2 * kKillLimit);
  ::unlink((state + "/supervisor.json").c_str());
}

// Only what the platform puts there: the directory may have been somebody's home by mistake.
Status DeleteData(const std::string& state) {
  for (const char* name :
       {"store", "servers", "run", "envoy", "cache", "uploads", "registry.db", "registry.db-wal",
        "registry.db-shm", "platform.json", "ports.json", "supervisor.lock", "lock", "controller.log",
        "controller.log.1", "supervisor.log", "supervisor.log.1", "up.lock"}) {
    SNUG_RETURN_IF_ERROR(os::RemoveTree(state + "/" + name));
  }
  ::rmdir(state.c_str());  // stays when there is more in it
  return {};
}

int Report(const Session& session, bool ran, const StopReport& report) {
  if (session.globals.json) {
    session.terminal.out << Dump({{"ran", ran}, {"killed", report.killed}, {"left", report.left}}) << "\n";
  } else if (report.left.empty()) {
    session.terminal.out << (ran ? "snug is stopped\n" : "snug was not running\n");
  }
  for (const auto& killed : report.killed)
    session.terminal.err << "snug: had to be killed: " << killed << "\n";
  for (const auto& left : report.left) session.terminal.err << "snug: still runs: " << left << "\n";
  return report.left.empty() ? kExitOk : kExitFailed;
}

Result<int> Down(const Session& session, const DownOptions& options) {
  const std::string& state = session.globals.state;
  if (!os::IsDirectory(state)) return Report(session, false, {});
  SNUG_ASSIGN_OR_RETURN(os::UniqueFd lock, LockStart(state));
  bool ran = FindSupervisor(state).ok() || FindController(state).ok() || !FindProcesses(state).empty();
  StopSupervisor(state);
  StopReport report = StopPlatform(state, [] { return false; });
  if (options.delete_data && report.left.empty()) SNUG_RETURN_IF_ERROR(DeleteData(state));
  return Report(session, ran, report);
}

}  // namespace

int RunDown(const Session& session, const DownOptions& options) {
  auto result = Down(session, options);
  return result.ok() ? *result : Fail(session, result.status());
}

}  // namespace snug::cli
