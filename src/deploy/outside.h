// The one seam between the local deployer and the world: processes, files, HTTP, time. Tests put a world of
// their own here, and stop the deployer between any two effects.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "os/http_client.h"
#include "os/process.h"

namespace snug::deploy {

struct FoundProcess {
  os::ProcessId id;
  std::vector<std::string> argv;
};

struct TreeUsage {
  double cpu_seconds = 0;     // the process, its living descendants, and those that it has reaped
  uint64_t memory_bytes = 0;  // resident, the living ones
};

// Thread-safe. Files are written atomically and durably.
class Outside {
 public:
  virtual ~Outside() = default;
  virtual TimePoint Now() = 0;

  virtual Result<os::ProcessId> Spawn(const os::SpawnOptions& options) = 0;
  virtual bool IsAlive(const os::ProcessId& process) = 0;
  virtual Status Signal(const os::ProcessId& process, int signal) = 0;
  virtual Result<TreeUsage> Usage(const os::ProcessId& process) = 0;
  // All processes that we may look at, with their arguments.
  virtual Result<std::vector<FoundProcess>> Processes() = 0;

  virtual Result<std::string> ReadFile(const std::string& path) = 0;
  virtual Status WriteFile(const std::string& path, const std::string& content) = 0;
  virtual Status Remove(const std::string& path) = 0;  // a file or a tree; OK when absent
  virtual Status Symlink(const std::string& target, const std::string& link) = 0;
  virtual Status MakeDirs(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> ListDir(const std::string& path) = 0;
  // Moves a log that has grown too long to NAME.1 and begins it anew; the writer keeps its descriptor.
  virtual void LimitLog(const std::string& path) = 0;

  virtual Result<os::HttpResponse> Http(const os::HttpRequest& request) = 0;

  virtual Result<std::string> MakeCpuCgroup(const std::string& name, double cores) = 0;
  virtual Status RemoveCgroup(const std::string& directory) = 0;
};

std::unique_ptr<Outside> RealOutside();

}  // namespace snug::deploy
