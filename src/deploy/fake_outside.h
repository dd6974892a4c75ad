// A world for tests: processes, files and servers in memory, on a clock that the test moves. Every effect can
// fail, and at any effect the test can make us "crash" (an exception that the test catches; what was done
// stays done).
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>

#include "base/rng.h"
#include "deploy/outside.h"

namespace snug::deploy {

struct Crash {};

class FakeOutside : public Outside {
 public:
  struct Loaded {
    std::string state;  // LOADING, READY, UNLOADING, UNAVAILABLE
    std::string reason;
    int steps_left = 0;
  };
  struct Process {
    std::vector<std::string> argv;
    bool alive = true;
    bool stubborn = false;  // ignores SIGTERM
    bool hung = false;      // does not answer
    std::string cgroup_dir;
    uint16_t rest_port = 0;
    std::map<std::pair<std::string, int64_t>, Loaded> models;
    std::string Flag(const std::string& name) const;
  };

  // One moment passes: the clock moves, servers get ready, models load.
  void Tick(Duration by = std::chrono::milliseconds(100));
  void Kill(int64_t pid) { processes_.at(static_cast<pid_t>(pid)).alive = false; }
  Process& At(int64_t pid) { return processes_.at(static_cast<pid_t>(pid)); }
  std::vector<pid_t> Alive() const;
  std::vector<pid_t> AliveServers(const std::string& id) const;
  const std::map<std::string, std::string>& files() const { return files_; }

  // The effect number `n` from now on crashes us: before it is done, or right after.
  void CrashAt(int n, bool after) { crash_in_ = n, crash_after_ = after; }
  void NoCrash() { crash_in_ = -1; }
  bool crash_pending() const { return crash_in_ > 0; }
  // Each effect fails with this probability.
  void FailWith(double probability) { failure_ = probability; }
  Rng& rng() { return rng_; }
  // From now on cgroups can be made; their cores by directory.
  void AllowCgroups() { cgroups_allowed_ = true; }
  const std::map<std::string, double>& cgroups() const { return cgroups_; }
  int spawns() const { return spawns_; }

  TimePoint Now() override { return now_; }
  Result<os::ProcessId> Spawn(const os::SpawnOptions& options) override;
  bool IsAlive(const os::ProcessId& process) override;
  Status Signal(const os::ProcessId& process, int signal) override;
  Result<TreeUsage> Usage(const os::ProcessId& process) override;
  Result<std::vector<FoundProcess>> Processes() override;
  Result<std::string> ReadFile(const std::string& path) override;
  Status WriteFile(const std::string& path, const std::string& content) override;
  Status Remove(const std::string& path) override;
  Status Symlink(const std::string& target, const std::string& link) override;
  Status MakeDirs(const std::string&) override { return {}; }
  Result<std::vector<std::string>> ListDir(const std::string& path) override;
  void LimitLog(const std::string&) override {}
  Result<os::HttpResponse> Http(const os::HttpRequest& request) override;
  Result<std::string> MakeCpuCgroup(const std::string& name, double cores) override;
  Status RemoveCgroup(const std::string& directory) override;

 private:
  // Wraps an effect: counts it, fails it, crashes around it.
  Status Effect(const std::function<Status()>& act);
  Status Load(Process& process, const std::string& model, int64_t version);
  os::HttpResponse Answer(Process& process, const os::HttpRequest& request);

  TimePoint now_ = TimePoint(std::chrono::seconds(1000));
  pid_t next_pid_ = 100;
  uint16_t next_port_ = 20000;
  int spawns_ = 0;
  std::map<pid_t, Process> processes_;
  std::map<std::string, std::string> files_;  // links hold "-> target"
  int crash_in_ = -1;
  bool crash_after_ = false;
  double failure_ = 0;
  bool cgroups_allowed_ = false;
  std::map<std::string, double> cgroups_;
  Rng rng_{1};
};

}  // namespace snug::deploy
