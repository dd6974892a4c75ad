#include "serving/low_priority.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <latch>
#include <thread>

namespace snug::serving {
namespace {

struct Scheduling {
  int policy, niceness;
  bool operator==(const Scheduling&) const = default;
};

Scheduling Now(pid_t thread = gettid()) {
  return {sched_getscheduler(thread), getpriority(PRIO_PROCESS, static_cast<id_t>(thread))};
}

class LowPriorityTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!CanLowerPriority()) GTEST_SKIP() << "this process may not raise a priority again";
  }
  const Scheduling usual_ = Now();
  const Scheduling low_{SCHED_BATCH, usual_.niceness + kLoadNiceness};
};

TEST_F(LowPriorityTest, LastsAsLongAsTheObject) {
  {
    const LowPriority low;
    EXPECT_EQ(Now(), low_);
    {
      const LowPriority again;
      EXPECT_EQ(Now(), low_);
    }
    EXPECT_EQ(Now(), low_);
  }
  EXPECT_EQ(Now(), usual_);
}

TEST_F(LowPriorityTest, WhatSomebodyWaitsForHasTheUsualOne) {
  {
    const UsualPriority nothing_to_raise;
    EXPECT_EQ(Now(), usual_);
  }
  EXPECT_EQ(Now(), usual_);
  const LowPriority low;
  {
    const UsualPriority raised;
    EXPECT_EQ(Now(), usual_);
  }
  EXPECT_EQ(Now(), low_);
}

TEST_F(LowPriorityTest, OthersThatInheritedItAreRestored) {
  const LowPriority low;
  std::latch begun(1), end(1);
  pid_t id = 0;
  std::thread worker([&] {
    id = gettid();
    begun.count_down();
    end.wait();
  });
  begun.wait();
  EXPECT_EQ(Now(id), low_);
  LowPriority::RestoreOthers(0);
  EXPECT_EQ(Now(id), usual_);
  EXPECT_EQ(Now(), low_);
  end.count_down();
  worker.join();
}

}  // namespace
}  // namespace snug::serving
