// How much CPU and memory this process may use: the cgroup's quota and cpuset, never the host's size.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace snug::os {

struct CpuBudget {
  double cores = 1;           // min(quota, cpuset, affinity), e.g. 1.5
  int threads = 1;            // what to size pools with: ceil(cores), at least 1
  uint64_t memory_bytes = 0;  // the cgroup's memory.max or the machine's memory
  std::string source;         // for people: "cgroup quota 1.50 of 8 CPUs"
};

// Reads cgroup v2 (and v1), sched_getaffinity and sysinfo. Never fails: what cannot be read does not limit.
CpuBudget ReadCpuBudget();
// The same from given files, for tests: `root` stands for /, `host_cpus` for the affinity.
CpuBudget ReadCpuBudgetAt(const std::string& root, int host_cpus, uint64_t host_memory_bytes);

// A cgroup v2 for a child: cpu.max = cores, memory.max = memory_bytes (0: no limit). PERMISSION_DENIED or
// FAILED_PRECONDITION where the machine does not allow it: the caller goes on without and says so.
Result<std::string> MakeCgroup(const std::string& name, double cores, uint64_t memory_bytes);
Status RemoveCgroup(const std::string& directory);

}  // namespace snug::os
