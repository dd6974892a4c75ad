#include "deploy/process_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deploy/fake_outside.h"
#include "deploy/wire.h"

namespace snug::deploy {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kRecord[] = "/s/run/g1-0.json";

Command Server() {
  Command command;
  command.spawn.argv = {"/bin/snug-server", "--server-id", "g1-0", "--ready-file", "/s/ready"};
  command.identity_flag = "--ready-file";
  command.identity_value = "/s/ready";
  return command;
}

class ProcessKeeperTest : public ::testing::Test {
 protected:
  // As a controller that starts: adopts, then keeps it running.
  std::unique_ptr<ProcessKeeper> NewKeeper() {
    auto keeper = std::make_unique<ProcessKeeper>(world_, "g1-0", kRecord);
    keeper->Adopt("--ready-file", "/s/ready", *world_.Processes());
    return keeper;
  }
  FakeOutside world_;
};

TEST_F(ProcessKeeperTest, StartsOnceAndRecordsThePid) {
  auto keeper = NewKeeper();
  for (int i = 0; i < 3; ++i) keeper->KeepRunning(Server());
  EXPECT_EQ(world_.spawns(), 1);
  auto record = ParseRecord(world_.files().at(kRecord));
  EXPECT_EQ(record->process, *keeper->process());
}

TEST_F(ProcessKeeperTest, TheNextKeeperAdoptsByRecord) {
  NewKeeper()->KeepRunning(Server());
  auto next = NewKeeper();
  ASSERT_TRUE(next->process());
  next->KeepRunning(Server());
  EXPECT_EQ(world_.spawns(), 1);
}

TEST_F(ProcessKeeperTest, ACrashAtAnyEffectOfAStartLeavesOneProcessInTheEnd) {
  for (int at = 1; at <= 4; ++at) {
    for (bool after : {false, true}) {
      FakeOutside world;
      world.CrashAt(at, after);
      try {
        ProcessKeeper keeper(world, "g1-0", kRecord);
        keeper.KeepRunning(Server());
      } catch (const Crash&) {
      }
      world.NoCrash();
      ProcessKeeper next(world, "g1-0", kRecord);
      next.Adopt("--ready-file", "/s/ready", *world.Processes());
      next.KeepRunning(Server());
      EXPECT_THAT(world.Alive(), SizeIs(1)) << "crash at " << at << (after ? " after" : " before");
      EXPECT_EQ(world.spawns(), 1);
    }
  }
}

TEST_F(ProcessKeeperTest, ASecondProcessOfTheSameNameIsKilled) {
  NewKeeper()->KeepRunning(Server());
  ASSERT_TRUE(world_.Spawn(Server().spawn).ok());
  auto next = NewKeeper();
  EXPECT_THAT(world_.Alive(), SizeIs(1));
  EXPECT_EQ(world_.Alive()[0], next->process()->pid);
}

TEST_F(ProcessKeeperTest, RestartsAtOnceThenEverMoreSlowly) {
  auto keeper = NewKeeper();
  keeper->KeepRunning(Server());
  world_.Kill(keeper->process()->pid);
  keeper->KeepRunning(Server());
  ASSERT_TRUE(keeper->process()) << "the first failure costs no waiting";
  Duration waited{0};
  std::vector<Duration> waits;
  for (int failure = 0; failure < 10; ++failure) {
    world_.Kill(keeper->process()->pid);
    for (waited = Duration{0}; keeper->KeepRunning(Server()), !keeper->process();) {
      world_.Tick();
      waited += std::chrono::milliseconds(100);
      ASSERT_LE(waited, kRestartDelayMax + std::chrono::seconds(1));
    }
    waits.push_back(waited);
  }
  EXPECT_EQ(waits.front(), kRestartDelayFirst);
  EXPECT_EQ(waits.back(), kRestartDelayMax);
  EXPECT_EQ(keeper->restarts(), 11);
  world_.Tick(kStableAfter);
  world_.Kill(keeper->process()->pid);
  keeper->KeepRunning(Server());
  EXPECT_TRUE(keeper->process()) << "health is remembered";
}

TEST_F(ProcessKeeperTest, AProgramThatIsMissingIsTheReason) {
  auto keeper = NewKeeper();
  world_.FailWith(1.0);
  keeper->KeepRunning(Server());
  EXPECT_FALSE(keeper->process());
  EXPECT_THAT(keeper->reason(), HasSubstr("a fault of the test"));
}

TEST_F(ProcessKeeperTest, StopsAndTakesTheRecordAway) {
  auto keeper = NewKeeper();
  keeper->KeepRunning(Server());
  EXPECT_FALSE(keeper->KeepStopped(std::chrono::seconds(1)));
  EXPECT_TRUE(keeper->KeepStopped(std::chrono::seconds(1)));
  EXPECT_THAT(world_.Alive(), SizeIs(0));
  EXPECT_FALSE(world_.files().contains(kRecord));
}

TEST_F(ProcessKeeperTest, AStubbornProcessIsKilledAfterTheGrace) {
  auto keeper = NewKeeper();
  keeper->KeepRunning(Server());
  world_.At(keeper->process()->pid).stubborn = true;
  keeper->KeepStopped(std::chrono::seconds(1));
  EXPECT_THAT(world_.Alive(), SizeIs(1));
  world_.Tick(std::chrono::seconds(2));
  keeper->KeepStopped(std::chrono::seconds(1));
  EXPECT_TRUE(keeper->KeepStopped(std::chrono::seconds(1)));
}

TEST_F(ProcessKeeperTest, AnotherFingerprintReplacesTheProcess) {
  Command command = Server();
  command.fingerprint = "one";
  NewKeeper()->KeepRunning(command);
  auto next = NewKeeper();
  command.fingerprint = "two";
  next->KeepRunning(command);  // asks it to stop
  next->KeepRunning(command);  // sees it gone and starts the new one
  EXPECT_EQ(world_.spawns(), 2);
  EXPECT_THAT(world_.Alive(), SizeIs(1));
  EXPECT_EQ(next->restarts(), 0);
}

TEST_F(ProcessKeeperTest, ADamagedRecordIsNoObstacle) {
  ASSERT_TRUE(world_.WriteFile(kRecord, "{\"pid\": -7").ok());
  auto keeper = NewKeeper();
  keeper->KeepRunning(Server());
  EXPECT_TRUE(keeper->process());
}

}  // namespace
}  // namespace snug::deploy
