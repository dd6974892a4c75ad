// The state directory, the programs to start, ports, readiness.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "cli/find_programs.h"
#include "cli/free_port.h"
#include "cli/json_access.h"
#include "cli/platform_state.h"
#include "cli/readiness.h"
#include "os/files.h"
#include "repository/test_dir.h"

namespace snug::cli {
namespace {

using repository::TestDir;
using testing::HasSubstr;

void MakeProgram(const TestDir& dir, const std::string& name) {
  dir.Write(name, "#!/bin/sh\n");
  ASSERT_EQ(::chmod((dir / name).c_str(), 0755), 0);
}

TEST(FindProgramsTest, EnvoyOfTheBuildIsFoundUpwards) {
  TestDir dir;
  dir.MakeDir("build/release/bin");
  std::string self = dir / "build/release/bin/snug";
  auto missing = FindEnvoy("", self, "");
  EXPECT_EQ(missing.status().code(), Code::kNotFound);
  EXPECT_THAT(missing.status().text(), HasSubstr("tools/setup/venvs.sh"));
  std::string in_venv = "build/venv/runtime/lib/python3.11/site-packages/envoy/_bin/envoy";
  MakeProgram(dir, in_venv);
  EXPECT_EQ(*FindEnvoy("", self, ""), dir / in_venv);
  MakeProgram(dir, "build/release/lib/x86_64-linux-gnu/snug/envoy");
  EXPECT_EQ(*FindEnvoy("", self, ""), dir / "build/release/lib/x86_64-linux-gnu/snug/envoy");
  MakeProgram(dir, "mine");
  EXPECT_EQ(*FindEnvoy(dir / "mine", self, ""), dir / "mine");
  EXPECT_FALSE(FindEnvoy(dir / "nothing", self, "").ok());
}

TEST(FindProgramsTest, EnvoyOfThePathIsTheLast) {
  TestDir dir;
  MakeProgram(dir, "tools/envoy");
  EXPECT_EQ(*FindEnvoy("", dir / "bin/snug", ":/nonexistent:" + dir / "tools"), dir / "tools/envoy");
}

TEST(PlatformStateTest, ConfigComesBackAsItWas) {
  TestDir dir;
  EXPECT_EQ(ReadConfig(dir.path()).status().code(), Code::kNotFound);
  PlatformConfig config{.state = dir.path(),
                        .port = 1,
                        .front_door_port = 2,
                        .threads = 3,
                        .controller = "/c",
                        .envoy = "/e",
                        .plugins = "/p",
                        .token_file = "/t",
                        .controller_options = {{"--policy", "best-fit"}, {"--limit", "0.8"}}};
  ASSERT_TRUE(WriteConfig(config).ok());
  auto read = ReadConfig(dir.path());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->front_door_port, 2);
  EXPECT_EQ(read->token_file, "/t");
  EXPECT_EQ(read->controller_options, config.controller_options);
  dir.Write("platform.json", "{\"port\":\"x\"}");
  EXPECT_EQ(ReadConfig(dir.path()).status().code(), Code::kInvalidArgument);
}

TEST(PlatformStateTest, ARecordOfAnotherProcessWithThisPidIsNotBelieved) {
  TestDir dir;
  auto self = os::Identify(::getpid());
  ASSERT_TRUE(self.ok());
  ASSERT_TRUE(WriteSupervisorRecord(dir.path(), *self).ok());
  EXPECT_TRUE(FindSupervisor(dir.path()).ok());
  ASSERT_TRUE(WriteSupervisorRecord(dir.path(), {self->pid, self->start_ticks + 1}).ok());
  EXPECT_FALSE(FindSupervisor(dir.path()).ok());
  dir.Write("supervisor.json", "half a rec");
  EXPECT_FALSE(FindSupervisor(dir.path()).ok());
}

// Processes of the platform are found by record or by environment; the controller by its command line.
TEST(PlatformStateTest, FindsTheProcessesOfAStateDirectory) {
  TestDir dir;
  auto recorded = os::Spawn({.argv = {"/bin/sleep", "60"}});
  auto marked = os::Spawn({.argv = {"/bin/sleep", "60"}, .environment = {{kPlatformVariable, dir.path()}}});
  auto foreign =
      os::Spawn({.argv = {"/bin/sleep", "60"}, .environment = {{kPlatformVariable, dir.path() + "2"}}});
  ASSERT_TRUE(recorded.ok() && marked.ok() && foreign.ok());
  dir.Write("run/g1-0.json",
            Dump({{"process", {{"pid", recorded->pid}, {"start_ticks", recorded->start_ticks}}}}));
  dir.Write("run/broken.json", "{");
  auto found = FindProcesses(dir.path());
  std::vector<pid_t> pids;
  pids.reserve(found.size());
  for (const auto& process : found) pids.push_back(process.id.pid);
  EXPECT_THAT(pids, testing::UnorderedElementsAre(recorded->pid, marked->pid));
  for (const auto& process : {*recorded, *marked, *foreign}) {
    EXPECT_TRUE(os::Signal(process, SIGKILL).ok());
    EXPECT_TRUE(os::WaitForExit(process, std::chrono::seconds(30)).ok());
  }
  EXPECT_TRUE(FindProcesses(dir.path()).empty());
}

TEST(FreePortTest, NamesTheFlagWhenThePortIsTaken) {
  auto port = FreePort(0, "--port");
  ASSERT_TRUE(port.ok());
  EXPECT_GT(*port, 0);
}

TEST(ReadinessTest, JudgesTheControllersStatus) {
  Json status{{"front_door", ""}, {"models", {{"READY", 1}}}};
  EXPECT_FALSE(JudgeStatus(status).platform);
  status["front_door"] = "127.0.0.1:1";
  status["processes"] = Json::array({{{"name", "front-door"}, {"state", "STARTING"}}});
  EXPECT_FALSE(JudgeStatus(status).platform);
  status["processes"][0]["state"] = "READY";
  EXPECT_TRUE(JudgeStatus(status).platform);
  EXPECT_TRUE(JudgeStatus(status).models);
  status["models"] = {{"LOADING", 2}, {"FAILED", 1}};
  EXPECT_FALSE(JudgeStatus(status).models);
  EXPECT_EQ(JudgeStatus(status).text, "2 models are loading");
}

}  // namespace
}  // namespace snug::cli
