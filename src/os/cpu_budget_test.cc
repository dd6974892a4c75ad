// The budget from directories that look like a machine: cgroup v2 and v1, in the ways that container engines
// set them.
#include "os/cpu_budget.h"

#include <gtest/gtest.h>

#include "os/test_machine.h"

namespace snug::os {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

class CpuBudgetTest : public TestMachine {
 protected:
  CpuBudget Read() const { return ReadCpuBudgetAt(root_, 8, 16 * kGiB); }
};

TEST_F(CpuBudgetTest, WithoutCgroupsTheMachineCounts) {
  CpuBudget budget = Read();
  EXPECT_EQ(budget.cores, 8);
  EXPECT_EQ(budget.threads, 8);
  EXPECT_EQ(budget.memory_bytes, 16 * kGiB);
  EXPECT_EQ(budget.source, "8 CPUs");
}

TEST_F(CpuBudgetTest, V2Quota) {
  Write("/proc/self/cgroup", "0::/box");
  Write("/sys/fs/cgroup/box/cpu.max", "150000 100000");
  Write("/sys/fs/cgroup/box/memory.max", "1073741824");
  CpuBudget budget = Read();
  EXPECT_DOUBLE_EQ(budget.cores, 1.5);
  EXPECT_EQ(budget.threads, 2);
  EXPECT_EQ(budget.cpus, 8);
  EXPECT_EQ(budget.memory_bytes, kGiB);
  EXPECT_EQ(budget.source, "cgroup quota 1.50 of 8 CPUs");
}

TEST_F(CpuBudgetTest, V2InsideAContainerIsTheRoot) {
  Write("/proc/self/cgroup", "0::/");
  Write("/sys/fs/cgroup/cpu.max", "100000 100000");
  EXPECT_EQ(Read().threads, 1);
}

TEST_F(CpuBudgetTest, V2AncestorsLimitToo) {
  Write("/proc/self/cgroup", "0::/slice/pod/box");
  Write("/sys/fs/cgroup/slice/cpu.max", "200000 100000");
  Write("/sys/fs/cgroup/slice/pod/cpu.max", "max 100000");
  Write("/sys/fs/cgroup/slice/pod/box/cpu.max", "400000 100000");
  Write("/sys/fs/cgroup/slice/pod/memory.max", "2147483648");
  Write("/sys/fs/cgroup/slice/pod/box/memory.max", "max");
  CpuBudget budget = Read();
  EXPECT_EQ(budget.cores, 2);
  EXPECT_EQ(budget.memory_bytes, 2 * kGiB);
}

TEST_F(CpuBudgetTest, V2WithoutLimit) {
  Write("/proc/self/cgroup", "0::/box");
  Write("/sys/fs/cgroup/box/cpu.max", "max 100000");
  Write("/sys/fs/cgroup/box/memory.max", "max");
  EXPECT_EQ(Read().cores, 8);
  EXPECT_EQ(Read().memory_bytes, 16 * kGiB);
}

TEST_F(CpuBudgetTest, V1Quota) {
  Write("/proc/self/cgroup", "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/x");
  Write("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "250000");
  Write("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000");
  Write("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "1073741824");
  CpuBudget budget = Read();
  EXPECT_DOUBLE_EQ(budget.cores, 2.5);
  EXPECT_EQ(budget.threads, 3);
  EXPECT_EQ(budget.memory_bytes, kGiB);
}

TEST_F(CpuBudgetTest, V1InsideAContainerIsMountedAtTheRoot) {
  // The path names the host's tree, the mount shows the container's own.
  Write("/proc/self/cgroup", "4:cpu,cpuacct:/docker/abc");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(Read().cores, 1);
}

TEST_F(CpuBudgetTest, V1WithoutLimit) {
  Write("/proc/self/cgroup", "4:cpu,cpuacct:/\n5:memory:/");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(Read().cores, 8);
  EXPECT_EQ(Read().memory_bytes, 16 * kGiB);
}

TEST_F(CpuBudgetTest, RubbishDoesNotLimit) {
  Write("/proc/self/cgroup", "no colons at all\n::\n0::/box");
  Write("/sys/fs/cgroup/box/cpu.max", "soon -1");
  Write("/sys/fs/cgroup/box/memory.max", "");
  EXPECT_EQ(Read().cores, 8);
  EXPECT_EQ(Read().memory_bytes, 16 * kGiB);
}

TEST_F(CpuBudgetTest, AQuotaAboveTheMachineIsNone) {
  Write("/proc/self/cgroup", "0::/");
  Write("/sys/fs/cgroup/cpu.max", "1600000 100000");
  EXPECT_EQ(Read().cores, 8);
  EXPECT_EQ(Read().source, "8 CPUs");
}

TEST_F(CpuBudgetTest, LessThanACoreIsStillAThread) {
  Write("/proc/self/cgroup", "0::/");
  Write("/sys/fs/cgroup/cpu.max", "20000 100000");
  EXPECT_DOUBLE_EQ(Read().cores, 0.2);
  EXPECT_EQ(Read().threads, 1);
}

}  // namespace
}  // namespace snug::os
