#include "deploy/local_deployer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deploy/fake_outside.h"

namespace snug::deploy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

DesiredCopy Copy(const std::string& model, int64_t version) {
  return {model, version, fmt::format("/s/store/{}/{}", model, version), "engine: echo\n"};
}

class LocalDeployerTest : public ::testing::Test {
 protected:
  LocalDeployerTest() { Restart(); }

  // A new controller over what the old one left.
  void Restart() {
    deployer_.reset();
    ServerOptions options;
    options.state_dir = "/s";
    options.program = "/bin/snug-server";
    deployer_ = std::make_unique<LocalDeployer>(world_, options, false, nullptr);
  }

  void Steps(int n) {
    for (int i = 0; i < n; ++i) {
      deployer_->Apply(desired_);
      deployer_->StepAll();
      world_.Tick();
    }
    deployer_->StepAll();
  }

  CopyState StateOf(const std::string& server, const std::string& model, int64_t version) {
    auto state = deployer_->Observe();
    const ObservedCopy* copy = state.servers[server].Copy(model, version);
    return copy == nullptr ? CopyState::kPending : copy->state;
  }

  FakeOutside world_;
  DesiredState desired_;
  std::unique_ptr<LocalDeployer> deployer_;
};

TEST_F(LocalDeployerTest, StartsAServerAndLoadsItsCopies) {
  desired_.servers = {{"g1-0", 1, {Copy("ocr", 1), Copy("tiny", 4)}}};
  Steps(12);
  auto server = deployer_->Observe().servers.at("g1-0");
  EXPECT_EQ(server.process.state, ProcessState::kReady);
  EXPECT_THAT(server.copies, SizeIs(2));
  EXPECT_EQ(StateOf("g1-0", "ocr", 1), CopyState::kReady);
  EXPECT_EQ(StateOf("g1-0", "tiny", 4), CopyState::kReady);
  EXPECT_EQ(server.Copy("ocr", 1)->memory_bytes, 1000u);
  EXPECT_EQ(world_.files().at("/s/servers/g1-0/models/ocr/1"), "-> /s/store/ocr/1");
  EXPECT_THAT(deployer_->Observe().warnings, SizeIs(1)) << "no cgroups: said, not fatal";
}

TEST_F(LocalDeployerTest, AServerLivesInACgroupOfItsCores) {
  world_.AllowCgroups();
  desired_.servers = {{"g1-0", 1.5, {}}};
  Steps(12);
  ASSERT_THAT(world_.cgroups(), SizeIs(1));
  const auto& [directory, cores] = *world_.cgroups().begin();
  EXPECT_EQ(cores, 1.5);
  EXPECT_EQ(world_.At(deployer_->Observe().servers.at("g1-0").process.pid).cgroup_dir, directory);
  EXPECT_THAT(deployer_->Observe().warnings, IsEmpty());
  desired_.servers.clear();
  Steps(12);
  EXPECT_THAT(world_.cgroups(), IsEmpty());
}

TEST_F(LocalDeployerTest, AKilledServerComesBackWithItsCopies) {
  desired_.servers = {{"g1-0", 1, {Copy("ocr", 1)}}};
  Steps(12);
  world_.Kill(deployer_->Observe().servers["g1-0"].process.pid);
  Steps(1);
  EXPECT_NE(StateOf("g1-0", "ocr", 1), CopyState::kReady);
  Steps(12);
  EXPECT_EQ(StateOf("g1-0", "ocr", 1), CopyState::kReady);
  EXPECT_EQ(deployer_->Observe().servers["g1-0"].process.restarts, 1);
}

TEST_F(LocalDeployerTest, ACopyThatIsNoLongerWantedUnloads) {
  desired_.servers = {{"g1-0", 1, {Copy("ocr", 1), Copy("tiny", 1)}}};
  Steps(12);
  desired_.servers[0].copies.pop_back();
  Steps(10);
  EXPECT_EQ(deployer_->Observe().servers["g1-0"].Copy("tiny", 1), nullptr);
  EXPECT_FALSE(world_.files().contains("/s/servers/g1-0/models/tiny/model.yaml"));
  EXPECT_EQ(StateOf("g1-0", "ocr", 1), CopyState::kReady);
}

TEST_F(LocalDeployerTest, AnotherVersionWaitsUntilTheOldOneLeft) {
  desired_.servers = {{"g1-0", 1, {Copy("ocr", 1)}}};
  Steps(12);
  desired_.servers[0].copies = {Copy("ocr", 2)};
  Steps(20);  // the fake server complains when both are there
  EXPECT_EQ(StateOf("g1-0", "ocr", 2), CopyState::kReady);
}

TEST_F(LocalDeployerTest, ABrokenModelFailsAloneAndIsTriedAgainMoreAndMoreSeldom) {
  desired_.servers = {{"g1-0", 1, {Copy("broken", 1), Copy("ocr", 1)}}};
  Steps(12);
  auto server = deployer_->Observe().servers["g1-0"];
  EXPECT_EQ(server.Copy("broken", 1)->state, CopyState::kFailed);
  EXPECT_THAT(server.Copy("broken", 1)->reason, HasSubstr("rubbish"));
  EXPECT_EQ(StateOf("g1-0", "ocr", 1), CopyState::kReady);
}

TEST_F(LocalDeployerTest, UnwantedServersAreStoppedAndTheirFilesRemoved) {
  desired_.servers = {{"g1-0", 1, {Copy("ocr", 1)}}, {"g2-0", 1, {}}};
  Steps(12);
  desired_.servers.pop_back();
  Steps(5);
  EXPECT_THAT(world_.AliveServers("g2-0"), SizeIs(0));
  EXPECT_THAT(world_.AliveServers("g1-0"), SizeIs(1));
  for (const auto& [file, content] : world_.files()) EXPECT_EQ(file.find("g2-0"), std::string::npos) << file;
  EXPECT_THAT(deployer_->Observe().servers, SizeIs(1));
}

TEST_F(LocalDeployerTest, ARestartedDeployerAdoptsAndDisturbsNothing) {
  desired_.servers = {{"g1-0", 1, {Copy("ocr", 1)}}};
  Steps(12);
  Restart();
  EXPECT_FALSE(deployer_->Observe().complete) << "nobody has asked the server yet";
  deployer_->StepAll();
  auto state = deployer_->Observe();
  EXPECT_TRUE(state.complete);
  EXPECT_EQ(state.servers["g1-0"].Copy("ocr", 1)->state, CopyState::kReady);
  Steps(5);
  EXPECT_EQ(world_.spawns(), 1);
  EXPECT_EQ(StateOf("g1-0", "ocr", 1), CopyState::kReady);
}

TEST_F(LocalDeployerTest, AnAdoptedServerThatNobodyWantsIsStopped) {
  desired_.servers = {{"g7-0", 1, {}}};
  Steps(5);
  Restart();
  desired_.servers.clear();
  Steps(5);
  EXPECT_THAT(world_.Alive(), SizeIs(0));
}

TEST_F(LocalDeployerTest, AHungServerLosesItsTrafficAndIsKilled) {
  desired_.servers = {{"g1-0", 1, {Copy("ocr", 1)}}};
  Steps(12);
  world_.At(deployer_->Observe().servers["g1-0"].process.pid).hung = true;
  Steps(10);
  EXPECT_EQ(deployer_->Observe().servers["g1-0"].process.state, ProcessState::kReady)
      << "a pause is no failure";
  Steps(100);
  EXPECT_EQ(deployer_->Observe().servers["g1-0"].process.state, ProcessState::kUnreachable);
  Steps(600);
  EXPECT_EQ(StateOf("g1-0", "ocr", 1), CopyState::kReady) << "a new process took over";
  EXPECT_EQ(deployer_->Observe().servers["g1-0"].process.restarts, 1);
}

TEST_F(LocalDeployerTest, StopAllKeepsTheDirectories) {
  desired_.servers = {{"g1-0", 1, {Copy("ocr", 1)}}};
  Steps(12);
  EXPECT_TRUE(deployer_->StopAll(std::chrono::seconds(5)));
  EXPECT_THAT(world_.Alive(), SizeIs(0));
  EXPECT_TRUE(world_.files().contains("/s/servers/g1-0/models/ocr/model.yaml"));
}

// From a crash at every single effect, and under random faults, the same end is reached.
TEST_F(LocalDeployerTest, ConvergesFromACrashAtEveryEffect) {
  for (int at = 1; at <= 40; ++at) {
    for (bool after : {false, true}) {
      SCOPED_TRACE(fmt::format("crash at effect {} {}", at, after ? "after" : "before"));
      world_ = FakeOutside();
      Restart();
      desired_.servers = {{"g1-0", 1, {Copy("ocr", 1)}}, {"g2-0", 1, {Copy("ocr", 2)}}};
      world_.CrashAt(at, after);
      world_.FailWith(0.1);
      for (int i = 0; i < 60 && world_.crash_pending(); ++i) {
        try {
          Steps(1);
        } catch (const Crash&) {
          break;
        }
      }
      world_.NoCrash();
      world_.FailWith(0);
      Restart();
      Steps(60);
      EXPECT_THAT(world_.AliveServers("g1-0"), SizeIs(1));
      EXPECT_THAT(world_.AliveServers("g2-0"), SizeIs(1));
      EXPECT_EQ(StateOf("g1-0", "ocr", 1), CopyState::kReady);
      EXPECT_EQ(StateOf("g2-0", "ocr", 2), CopyState::kReady);
    }
  }
}

}  // namespace
}  // namespace snug::deploy
