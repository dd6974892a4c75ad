#include "os/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "os/cpu_budget.h"

namespace snug::os {
namespace {

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/files_test.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { EXPECT_TRUE(RemoveTree(dir_).ok()); }
  void Put(const std::string& path, std::string_view content) {
    ASSERT_TRUE(MakeDirs((dir_ + "/" + path).substr(0, (dir_ + "/" + path).rfind('/'))).ok());
    ASSERT_TRUE(WriteFileAtomic(dir_ + "/" + path, content).ok());
  }
  std::string dir_;
};

TEST_F(FilesTest, WritesReplaceWhole) {
  std::string path = dir_ + "/a";
  ASSERT_TRUE(WriteFileAtomic(path, "one").ok());
  ASSERT_TRUE(WriteFileAtomic(path, "two").ok());
  EXPECT_EQ(*ReadFile(path), "two");
  EXPECT_EQ(ListDir(dir_)->size(), 1u);
  EXPECT_EQ(ReadFile(path, 2).status().code(), Code::kResourceExhausted);
  EXPECT_EQ(ReadFile(dir_ + "/none").status().code(), Code::kNotFound);
}

TEST_F(FilesTest, TailsTheLastLines) {
  std::string path = dir_ + "/log";
  ASSERT_TRUE(WriteFileAtomic(path, "a\nb\nc\n").ok());
  EXPECT_EQ(*TailFile(path, 2), "b\nc\n");
  EXPECT_EQ(*TailFile(path, 9), "a\nb\nc\n");
  EXPECT_EQ(*TailFile(path, 9, 3), "\nc\n");
}

TEST_F(FilesTest, SymlinksAreReplaced) {
  ASSERT_TRUE(SymlinkAtomic("one", dir_ + "/link").ok());
  ASSERT_TRUE(SymlinkAtomic("two", dir_ + "/link").ok());
  char target[8] = {};
  EXPECT_EQ(::readlink((dir_ + "/link").c_str(), target, sizeof target), 3);
  EXPECT_STREQ(target, "two");
}

TEST_F(FilesTest, BudgetIsTheLeastQuotaOfTheAncestors) {
  Put("proc/self/cgroup", "0::/a/b\n");
  Put("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  Put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  Put("sys/fs/cgroup/a/b/memory.max", "1073741824\n");
  CpuBudget budget = ReadCpuBudgetAt(dir_, 8, uint64_t{8} << 30);
  EXPECT_DOUBLE_EQ(budget.cores, 1.5);
  EXPECT_EQ(budget.threads, 2);
  EXPECT_EQ(budget.memory_bytes, uint64_t{1} << 30);
  EXPECT_EQ(budget.source, "cgroup quota 1.50 of 8 CPUs");
}

TEST_F(FilesTest, BudgetReadsCgroupV1) {
  Put("proc/self/cgroup", "3:cpu,cpuacct:/x\n");
  Put("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "50000\n");
  Put("sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
  CpuBudget budget = ReadCpuBudgetAt(dir_, 4, 1 << 20);
  EXPECT_DOUBLE_EQ(budget.cores, 0.5);
  EXPECT_EQ(budget.threads, 1);
}

TEST_F(FilesTest, BudgetWithoutCgroupsIsTheMachine) {
  CpuBudget budget = ReadCpuBudgetAt(dir_, 4, 1 << 20);
  EXPECT_DOUBLE_EQ(budget.cores, 4);
  EXPECT_EQ(budget.memory_bytes, 1u << 20);
}

}  // namespace
}  // namespace snug::os
