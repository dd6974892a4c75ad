// On directories that look like a machine, and on the real one where it lets us.
#include "os/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "os/files.h"
#include "os/process.h"
#include "os/test_machine.h"

namespace snug::os {
namespace {

using testing::HasSubstr;

class CgroupTest : public TestMachine {
 protected:
  std::string Read(const std::string& path) {
    auto text = ReadFile(path);
    return text.ok() ? *text : text.status().text();
  }
};

TEST_F(CgroupTest, V2EnablesTheControllerAndSetsTheQuota) {
  Write("/proc/self/cgroup", "0::/pod");
  Write("/sys/fs/cgroup/cgroup.controllers", "cpu memory");
  Write("/sys/fs/cgroup/pod/cgroup.subtree_control", "memory");
  auto directory = MakeCpuCgroupAt(root_, "snug-a", 1.5);
  ASSERT_TRUE(directory.ok()) << directory.status().text();
  EXPECT_EQ(*directory, root_ + "/sys/fs/cgroup/pod/snug-a");
  EXPECT_EQ(Read(root_ + "/sys/fs/cgroup/pod/cgroup.subtree_control"), "+cpu");
  EXPECT_EQ(Read(*directory + "/cpu.max"), "150000 100000");
  EXPECT_EQ(Read(*directory + "/cpu.weight"), "150");
}

TEST_F(CgroupTest, V1SetsTheQuotaInTheCpuHierarchy) {
  Write("/proc/self/cgroup", "4:memory:/m\n2:cpu,cpuacct:/");
  Write("/sys/fs/cgroup/cpu/cpu.shares", "1024");
  auto directory = MakeCpuCgroupAt(root_, "snug-a", 0.25);
  ASSERT_TRUE(directory.ok()) << directory.status().text();
  EXPECT_EQ(*directory, root_ + "/sys/fs/cgroup/cpu/snug-a");
  EXPECT_EQ(Read(*directory + "/cpu.cfs_quota_us"), "25000");
  EXPECT_EQ(Read(*directory + "/cpu.cfs_period_us"), "100000");
  EXPECT_EQ(Read(*directory + "/cpu.shares"), "256");
}

TEST_F(CgroupTest, NoMoreThanOurOwnQuota) {
  Write("/proc/self/cgroup", "2:cpu:/box");
  Write("/sys/fs/cgroup/cpu/cpu.shares", "1024");
  Write("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "200000");
  Write("/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000");
  auto directory = MakeCpuCgroupAt(root_, "snug-a", 8);
  ASSERT_TRUE(directory.ok()) << directory.status().text();
  EXPECT_EQ(Read(*directory + "/cpu.cfs_quota_us"), "200000");
}

TEST_F(CgroupTest, WithoutCgroupsItSaysSo) {
  auto directory = MakeCpuCgroupAt(root_, "snug-a", 1);
  ASSERT_FALSE(directory.ok());
  EXPECT_EQ(directory.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(directory.status().text(), HasSubstr("no cgroup v2"));
}

TEST_F(CgroupTest, AParentThatCannotEnableTheControllerIsAnError) {
  Write("/proc/self/cgroup", "0::/pod");
  Write("/sys/fs/cgroup/cgroup.controllers", "memory");
  auto directory = MakeCpuCgroupAt(root_, "snug-a", 1);
  ASSERT_FALSE(directory.ok());
  EXPECT_THAT(directory.status().text(), HasSubstr("cgroup.subtree_control"));
  EXPECT_FALSE(Exists(root_ + "/sys/fs/cgroup/pod/snug-a"));
}

TEST_F(CgroupTest, AChildJoinsARealOne) {
  const std::string name = std::filesystem::path(root_).filename().string();
  auto directory = MakeCpuCgroup(name, 0.5);
  if (!directory.ok()) GTEST_SKIP() << directory.status().text();
  const std::string log = root_ + "/log";
  auto child = Spawn({.argv = {"/bin/cat", "/proc/self/cgroup"}, .log_file = log, .cgroup_dir = *directory});
  ASSERT_TRUE(child.ok()) << child.status().text();
  ASSERT_TRUE(WaitForExit(*child, std::chrono::seconds(30)).ok());
  EXPECT_THAT(Read(log), HasSubstr("/" + name + "\n"));
  EXPECT_TRUE(RemoveCgroup(*directory).ok());
  EXPECT_FALSE(Exists(*directory));
  EXPECT_TRUE(RemoveCgroup(*directory).ok()) << "once more changes nothing";
}

}  // namespace
}  // namespace snug::os
