// Child processes that may outlive us: started in a session of their own, watched through pidfds, known again
// after a restart by pid and start time (a pid alone may have been given to somebody else).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace snug::os {

// A process, for good: pids are reused, (pid, start time) is not.
struct ProcessId {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat
  bool operator==(const ProcessId&) const = default;
};

struct SpawnOptions {
  std::vector<std::string> argv;                   // argv[0] is the program's path; PATH is not searched
  std::map<std::string, std::string> environment;  // added to ours
  std::string log_file;                            // stdout and stderr are appended there; empty: inherited
  std::vector<std::pair<int, int>> pass_fds;       // (ours, theirs): their number in the child, >= 3
  bool die_with_parent = false;                    // PR_SET_PDEATHSIG(SIGKILL)
  std::string cgroup_dir;                          // joined before exec when not empty
  std::string working_dir;
};

// NOT_FOUND/PERMISSION_DENIED when the program cannot be executed (reported by the child before exec).
Result<ProcessId> Spawn(const SpawnOptions& options);

// The process that has this pid now. NOT_FOUND when none has.
Result<ProcessId> Identify(pid_t pid);
// Whether the process runs (a zombie does not). Reaps it when it was our child.
bool IsAlive(const ProcessId& process);
// Sends a signal to that very process; OK when it is gone already.
Status Signal(const ProcessId& process, int signal);
// Waits until it has ended. DEADLINE_EXCEEDED when it still runs after `limit`.
Status WaitForExit(const ProcessId& process, Duration limit);
// SIGTERM, up to `grace`, then SIGKILL; returns when it is gone.
Status Stop(const ProcessId& process, Duration grace);

struct ProcessUsage {
  double cpu_seconds = 0;          // user + system, all threads
  uint64_t memory_bytes = 0;       // resident set
  uint64_t memory_peak_bytes = 0;  // the most that it was
  int threads = 0;
};
Result<ProcessUsage> Usage(const ProcessId& process);
// Its memory that is its own, files not counted; 0: unknown.
uint64_t PrivateBytes(pid_t pid);

// Path of the running program; plug-ins and sister programs lie beside it.
std::string SelfPath();

}  // namespace snug::os
