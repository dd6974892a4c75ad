#include "os/process.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "os/files.h"
#include "os/unique_fd.h"

namespace snug::os {
namespace {

using std::chrono::seconds;

std::string TempFile(const std::string& name) {
  return testing::TempDir() + "/process_test." + name;
}

SpawnOptions Shell(const std::string& script) {
  SpawnOptions options;
  options.argv = {"/bin/sh", "-c", script};
  return options;
}

TEST(ProcessTest, RunsWithEnvironmentAndLog) {
  auto options = Shell("echo value=$SNUG_TEST_VALUE; echo err >&2");
  options.environment["SNUG_TEST_VALUE"] = "7";
  options.log_file = TempFile("log");
  ::unlink(options.log_file.c_str());
  auto process = Spawn(options);
  ASSERT_TRUE(process.ok()) << process.status().ToString();
  ASSERT_TRUE(WaitForExit(*process, seconds(10)).ok());
  EXPECT_EQ(*ReadFile(options.log_file), "value=7\nerr\n");
  EXPECT_FALSE(IsAlive(*process));
}

TEST(ProcessTest, SaysWhyAProgramCannotBeExecuted) {
  SpawnOptions options;
  options.argv = {"/nonexistent/program"};
  auto process = Spawn(options);
  ASSERT_FALSE(process.ok());
  EXPECT_EQ(process.status().code(), Code::kNotFound);
  EXPECT_EQ(process.status().text(), "execute /nonexistent/program: No such file or directory");
}

TEST(ProcessTest, StopsByTermThenKill) {
  auto polite = Spawn(Shell("exec sleep 60"));
  ASSERT_TRUE(polite.ok());
  EXPECT_TRUE(IsAlive(*polite));
  EXPECT_TRUE(Stop(*polite, seconds(10)).ok());
  EXPECT_FALSE(IsAlive(*polite));

  std::string ready = TempFile("ready");
  ::unlink(ready.c_str());
  auto stubborn = Spawn(Shell("trap '' TERM; touch " + ready + "; while :; do sleep 1; done"));
  ASSERT_TRUE(stubborn.ok());
  while (!Exists(ready)) ::usleep(1000);
  EXPECT_TRUE(Stop(*stubborn, std::chrono::milliseconds(50)).ok());
  EXPECT_FALSE(IsAlive(*stubborn));
}

TEST(ProcessTest, APidThatWasReusedIsAnotherProcess) {
  auto self = Identify(::getpid());
  ASSERT_TRUE(self.ok());
  EXPECT_TRUE(IsAlive(*self));
  ProcessId other = *self;
  other.start_ticks -= 1;
  EXPECT_FALSE(IsAlive(other));
  EXPECT_TRUE(Signal(other, SIGKILL).ok()) << "must not have reached us";
}

TEST(ProcessTest, PassesDescriptors) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  auto options = Shell("echo hello >&3");
  options.pass_fds = {{theirs.get(), 3}};
  auto process = Spawn(options);
  ASSERT_TRUE(process.ok());
  theirs.Reset();
  char text[16] = {};
  EXPECT_EQ(::read(ours.get(), text, sizeof text), 6);
  EXPECT_STREQ(text, "hello\n");
  EXPECT_TRUE(WaitForExit(*process, seconds(10)).ok());
}

TEST(ProcessTest, ReportsUsageOfOurselves) {
  auto self = Identify(::getpid());
  ASSERT_TRUE(self.ok());
  auto usage = Usage(*self);
  ASSERT_TRUE(usage.ok());
  EXPECT_GT(usage->memory_bytes, 100000u);
  EXPECT_GE(usage->threads, 1);
}

}  // namespace
}  // namespace snug::os
