// How much CPU and memory this process may use: the cgroup's quota and cpuset, never the host's size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace snug::os {

struct CpuBudget {
  double cores = 1;           // min(quota, cpuset, affinity), e.g. 1.5
  int cpus = 1;               // that it may run on, whatever the quota
  int threads = 1;            // what to size pools with: ceil(cores), at least 1
  uint64_t memory_bytes = 0;  // the cgroup's memory.max or the machine's memory
  std::string source;         // for people: "cgroup quota 1.50 of 8 CPUs"
};

// Reads cgroup v2 (and v1), sched_getaffinity and sysinfo. Never fails: what cannot be read does not limit.
CpuBudget ReadCpuBudget();
// The same from given files, for tests: `root` stands for /, `host_cpus` for the affinity.
CpuBudget ReadCpuBudgetAt(const std::string& root, int host_cpus, uint64_t host_memory_bytes);
// Cores that the cgroup and its ancestors allow; nothing: no limit.
std::optional<double> CpuQuotaAt(const std::string& root);

}  // namespace snug::os
