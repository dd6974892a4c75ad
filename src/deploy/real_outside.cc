#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

#include "deploy/outside.h"
#include "os/cgroup.h"
#include "os/files.h"

namespace snug::deploy {
namespace {

constexpr uint64_t kCommandLineBytesMax = 1 << 20;
constexpr uint64_t kLogBytesMax = uint64_t{64} << 20;  // of each server; twice that with the one before
constexpr auto kProcessTableAgeMax = std::chrono::seconds(1);

struct ProcessStat {
  pid_t pid = 0, parent = 0;
  uint64_t start_ticks = 0;
  double cpu_seconds = 0;
  uint64_t memory_bytes = 0;
};

std::vector<pid_t> Pids() {
  std::vector<pid_t> pids;
  auto names = os::ListDir("/proc");
  if (!names.ok()) return pids;
  for (const std::string& name : *names) {
    pid_t pid = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

// proc(5): the fields after the name, which is in parentheses and may hold anything.
std::optional<ProcessStat> ReadStat(pid_t pid) {
  auto text = os::ReadFile(fmt::format("/proc/{}/stat", pid));
  if (!text.ok() || text->rfind(')') == std::string::npos) return std::nullopt;
  std::istringstream fields(text->substr(text->rfind(')') + 1));
  std::string state;
  long long parent = 0, skipped = 0, utime = 0, stime = 0, cutime = 0, cstime = 0, resident = 0;
  unsigned long long start = 0;
  fields >> state >> parent;
  for (int i = 5; i <= 13; ++i) fields >> skipped;
  fields >> utime >> stime >> cutime >> cstime;
  for (int i = 18; i <= 21; ++i) fields >> skipped;
  fields >> start >> skipped >> resident;
  if (!fields) return std::nullopt;
  double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return ProcessStat{pid, static_cast<pid_t>(parent), start,
                     static_cast<double>(utime + stime + cutime + cstime) / ticks,
                     static_cast<uint64_t>(resident) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))};
}

// A snapshot of /proc, shared by all who ask within a second: reading it is linear in the machine's
// processes.
class ProcessTable {
 public:
  Result<TreeUsage> Usage(const os::ProcessId& process) {
    std::lock_guard lock(mutex_);
    if (auto now = SystemClock().Now(); by_pid_.empty() || now - taken_ > kProcessTableAgeMax) Take(now);
    auto root = by_pid_.find(process.pid);
    if (root == by_pid_.end() || root->second.start_ticks != process.start_ticks) {
      return NotFound("process {} has ended", process.pid);
    }
    TreeUsage usage;
    std::set<pid_t> seen;
    Add(root->second, &seen, &usage);
    return usage;
  }

 private:
  void Take(TimePoint now) {
    by_pid_.clear();
    children_.clear();
    taken_ = now;
    for (pid_t pid : Pids()) {
      if (auto stat = ReadStat(pid)) {
        by_pid_[pid] = *stat;
        children_[stat->parent].push_back(pid);
      }
    }
  }

  void Add(const ProcessStat& process, std::set<pid_t>* seen, TreeUsage* usage) {
    if (!seen->insert(process.pid).second) return;
    usage->cpu_seconds += process.cpu_seconds;
    usage->memory_bytes += process.memory_bytes;
    for (pid_t child : children_[process.pid]) Add(by_pid_[child], seen, usage);
  }

  std::mutex mutex_;
  TimePoint taken_{};
  std::map<pid_t, ProcessStat> by_pid_;
  std::map<pid_t, std::vector<pid_t>> children_;
};

std::vector<std::string> SplitAtZeros(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, '\0');) parts.push_back(part);
  return parts;
}

class TheOutside final : public Outside {
 public:
  TimePoint Now() override { return SystemClock().Now(); }

  Result<os::ProcessId> Spawn(const os::SpawnOptions& options) override { return os::Spawn(options); }
  bool IsAlive(const os::ProcessId& process) override { return os::IsAlive(process); }
  Status Signal(const os::ProcessId& process, int signal) override { return os::Signal(process, signal); }
  Result<TreeUsage> Usage(const os::ProcessId& process) override { return table_.Usage(process); }

  Result<std::vector<FoundProcess>> Processes() override {
    std::vector<FoundProcess> found;
    for (pid_t pid : Pids()) {
      auto text = os::ReadFile(fmt::format("/proc/{}/cmdline", pid), kCommandLineBytesMax);
      auto id = os::Identify(pid);
      if (text.ok() && !text->empty() && id.ok()) found.push_back({*id, SplitAtZeros(*text)});
    }
    return found;
  }

  Result<std::string> ReadFile(const std::string& path) override { return os::ReadFile(path); }
  Status WriteFile(const std::string& path, const std::string& content) override {
    return os::WriteFileAtomic(path, content);
  }
  Status Remove(const std::string& path) override { return os::RemoveTree(path); }
  Status Symlink(const std::string& target, const std::string& link) override {
    return os::SymlinkAtomic(target, link);
  }
  Status MakeDirs(const std::string& path) override { return os::MakeDirs(path); }
  Result<std::vector<std::string>> ListDir(const std::string& path) override { return os::ListDir(path); }

  void LimitLog(const std::string& path) override {
    std::error_code error;
    if (std::filesystem::file_size(path, error) <= kLogBytesMax || error) return;
    std::filesystem::copy_file(path, path + ".1", std::filesystem::copy_options::overwrite_existing, error);
    std::filesystem::resize_file(path, 0, error);  // the writer appends, so it goes on at the new end
  }

  Result<os::HttpResponse> Http(const os::HttpRequest& request) override { return os::Fetch(request); }

  Result<std::string> MakeCpuCgroup(const std::string& name, double cores) override {
    return os::MakeCpuCgroup(name, cores);
  }
  Status RemoveCgroup(const std::string& directory) override { return os::RemoveCgroup(directory); }

 private:
  ProcessTable table_;
};

}  // namespace

std::unique_ptr<Outside> RealOutside() {
  return std::make_unique<TheOutside>();
}

}  // namespace snug::deploy
