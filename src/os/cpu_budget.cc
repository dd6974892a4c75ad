#include "os/cpu_budget.h"

#include <sched.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>

#include "os/cgroup.h"
#include "os/files.h"

namespace snug::os {
namespace {

std::optional<double> Number(const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  return end == text.c_str() ? std::nullopt : std::optional<double>(value);
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

std::optional<double> MemoryLimit(const std::string& root) {
  std::string mount = root + "/sys/fs/cgroup";
  auto v2 = LeastOverAncestors(mount, OwnCgroup(root, "memory"),
                               [](const std::string& d) { return FirstNumber(d + "/memory.max"); });
  if (v2) return v2;
  return LeastOverAncestors(mount + "/memory", OwnCgroup(root, "memory"),
                            [](const std::string& d) { return FirstNumber(d + "/memory.limit_in_bytes"); });
}

}  // namespace

std::optional<double> CpuQuotaAt(const std::string& root) {
  std::string mount = root + "/sys/fs/cgroup";
  auto v2 = LeastOverAncestors(mount, OwnCgroup(root, "cpu"), QuotaV2);
  if (v2) return v2;
  return LeastOverAncestors(mount + "/cpu", OwnCgroup(root, "cpu"), QuotaV1);
}

CpuBudget ReadCpuBudgetAt(const std::string& root, int host_cpus, uint64_t host_memory_bytes) {
  CpuBudget budget;
  budget.cpus = std::max(1, host_cpus);
  budget.cores = budget.cpus;
  budget.source = fmt::format("{} CPUs", host_cpus);
  if (auto quota = CpuQuotaAt(root); quota && *quota < budget.cores) {
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

}  // namespace snug::os
