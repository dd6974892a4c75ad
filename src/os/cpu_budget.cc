#include "os/cpu_budget.h"

#include <sched.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>

#include "os/files.h"

namespace snug::os {
namespace {

std::optional<double> Number(const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  return end == text.c_str() ? std::nullopt : std::optional<double>(value);
}

// The cgroup of this process for a controller: the path after "0::" (v2) or "N:…controller…:" (v1).
std::string CgroupPath(const std::string& root, std::string_view controller) {
  auto text = ReadFile(root + "/proc/self/cgroup");
  if (!text.ok()) return "/";
  std::istringstream lines(*text);
  std::string v2 = "/";
  for (std::string line; std::getline(lines, line);) {
    size_t first = line.find(':');
    size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    if (names == ",,") v2 = line.substr(second + 1);
    if (names.find("," + std::string(controller) + ",") != std::string::npos) return line.substr(second + 1);
  }
  return v2;
}

// The least of a value over the cgroup and its ancestors, as the kernel enforces it.
template <typename ReadAt>
std::optional<double> LeastOverAncestors(const std::string& mount, std::string path, ReadAt read_at) {
  std::optional<double> least;
  for (;;) {
    if (auto value = read_at(mount + path); value && (!least || *value < *least)) least = value;
    if (path.empty() || path == "/") return least;
    path = std::filesystem::path(path).parent_path().string();
  }
}

std::optional<double> QuotaV2(const std::string& directory) {
  auto text = ReadFile(directory + "/cpu.max");
  if (!text.ok()) return std::nullopt;
  std::istringstream fields(*text);
  std::string quota;
  std::string period;
  fields >> quota >> period;
  auto q = Number(quota);
  auto p = Number(period);
  if (!q || !p || *p <= 0 || *q <= 0) return std::nullopt;  // "max"
  return *q / *p;
}

std::optional<double> QuotaV1(const std::string& directory) {
  auto quota = ReadFile(directory + "/cpu.cfs_quota_us");
  auto period = ReadFile(directory + "/cpu.cfs_period_us");
  if (!quota.ok() || !period.ok()) return std::nullopt;
  auto q = Number(*quota);
  auto p = Number(*period);
  if (!q || !p || *q <= 0 || *p <= 0) return std::nullopt;
  return *q / *p;
}

std::optional<double> FirstNumber(const std::string& file) {
  auto text = ReadFile(file);
  return text.ok() ? Number(*text) : std::nullopt;
}

std::optional<double> Quota(const std::string& root) {
  std::string mount = root + "/sys/fs/cgroup";
  auto v2 = LeastOverAncestors(mount, CgroupPath(root, "cpu"), QuotaV2);
  if (v2) return v2;
  return LeastOverAncestors(mount + "/cpu", CgroupPath(root, "cpu"), QuotaV1);
}

std::optional<double> MemoryLimit(const std::string& root) {
  std::string mount = root + "/sys/fs/cgroup";
  auto v2 = LeastOverAncestors(mount, CgroupPath(root, "memory"),
                               [](const std::string& d) { return FirstNumber(d + "/memory.max"); });
  if (v2) return v2;
  return LeastOverAncestors(mount + "/memory", CgroupPath(root, "memory"),
                            [](const std::string& d) { return FirstNumber(d + "/memory.limit_in_bytes"); });
}

}  // namespace

CpuBudget ReadCpuBudgetAt(const std::string& root, int host_cpus, uint64_t host_memory_bytes) {
  CpuBudget budget;
  budget.cores = std::max(1, host_cpus);
  budget.source = fmt::format("{} CPUs", host_cpus);
  if (auto quota = Quota(root); quota && *quota < budget.cores) {
    budget.cores = *quota;
    budget.source = fmt::format("cgroup quota {:.2f} of {} CPUs", *quota, host_cpus);
  }
  budget.threads = std::max(1, static_cast<int>(std::ceil(budget.cores - 1e-9)));
  budget.memory_bytes = host_memory_bytes;
  if (auto limit = MemoryLimit(root); limit && *limit < static_cast<double>(host_memory_bytes)) {
    budget.memory_bytes = static_cast<uint64_t>(*limit);
  }
  return budget;
}

CpuBudget ReadCpuBudget() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cpus = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  struct sysinfo info {};
  uint64_t memory = ::sysinfo(&info) == 0 ? info.totalram * info.mem_unit : 0;
  return ReadCpuBudgetAt("", cpus, memory);
}

Result<std::string> MakeCgroup(const std::string& name, double cores, uint64_t memory_bytes) {
  const std::string mount = "/sys/fs/cgroup";
  if (!Exists(mount + "/cgroup.controllers")) return FailedPrecondition("no cgroup v2 at {}", mount);
  std::string parent = mount + CgroupPath("", "cpu");
  std::string directory = parent + "/" + name;
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoError(errno, directory);
  auto write = [&directory](const char* file, const std::string& value) -> Status {
    std::string path = directory + "/" + file;
    std::FILE* f = std::fopen(path.c_str(), "we");
    if (f == nullptr) return ErrnoError(errno, path);
    bool failed = std::fwrite(value.data(), 1, value.size(), f) != value.size();
    failed = std::fclose(f) != 0 || failed;
    return failed ? ErrnoError(errno, path) : Status();
  };
  constexpr int kPeriodUs = 100000;
  Status status = write("cpu.max", fmt::format("{} {}", static_cast<int64_t>(cores * kPeriodUs), kPeriodUs));
  if (status.ok() && memory_bytes > 0) status = write("memory.max", fmt::format("{}", memory_bytes));
  if (!status.ok()) {
    ::rmdir(directory.c_str());
    return status;
  }
  return directory;
}

Status RemoveCgroup(const std::string& directory) {
  if (::rmdir(directory.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, directory);
  return {};
}

}  // namespace snug::os
