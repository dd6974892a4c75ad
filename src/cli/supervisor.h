// Keeps a controller running: starts it, or adopts the one that runs, and starts it again when it ends.
//
// It holds no state that matters: when it is killed, the controller goes on, and the next supervisor adopts
// it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/platform_state.h"
#include "cli/restart_policy.h"
#include "os/unique_fd.h"

namespace snug::cli {

// Stops the platform's processes: the controller, which stops the others in order, then whatever is left.
struct StopReport {
  bool controller_ran = false;
  std::vector<std::string> killed;  // "snug-server (pid 123)": had to be killed
  std::vector<std::string> left;    // still run: not ours to signal, or unkillable
};
// `hurry` is asked now and then: true ends the waiting for an orderly end. Waits at most kStopLimit +
// kKillLimit.
StopReport StopPlatform(const std::string& state, const std::function<bool()>& hurry);

class Supervisor {
 public:
  explicit Supervisor(PlatformConfig config) : config_(std::move(config)) {}

  // Signals that end Run are blocked in the calling thread from here on; threads made later inherit that.
  static void BlockSignals();

  // Runs until SIGTERM, SIGINT or SIGHUP, then stops the platform; a second signal makes it hurry.
  // FAILED_PRECONDITION: another supervisor runs for this state directory, or the controller does not come up
  // (its log says why).
  Status Run();
  const StopReport& report() const { return report_; }

 private:
  Status Lock();
  Status StartOrAdopt();
  Status StartController();
  Status AfterEnd();
  bool Listened() const;

  PlatformConfig config_;
  os::UniqueFd lock_;
  RestartPolicy policy_;
  std::optional<os::ProcessId> controller_;
  TimePoint started_;
  StopReport report_;
};

}  // namespace snug::cli
