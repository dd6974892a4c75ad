// What the program's exit status says. Scripts rely on these numbers: docs/cli.md lists them.
#pragma once

#include "base/status.h"

namespace snug::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitNotFound = 3,
  kExitNotRunning = 4,  // the platform does not run or cannot be reached
  kExitNotReady = 5,    // not ready in time
};

// UNAVAILABLE is what the API client says of a platform that it cannot reach.
inline ExitCode ExitCodeOf(const Status& status) {
  switch (status.code()) {
    case Code::kOk:
      return kExitOk;
    case Code::kNotFound:
      return kExitNotFound;
    case Code::kUnavailable:
      return kExitNotRunning;
    case Code::kDeadlineExceeded:
      return kExitNotReady;
    default:
      return kExitFailed;
  }
}

}  // namespace snug::cli
