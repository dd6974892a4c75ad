#include "serving/sweeper.h"

#include <gtest/gtest.h>

#include <future>

namespace snug::serving {
namespace {

using namespace std::chrono_literals;

TimePoint At(Duration d) {
  return TimePoint(d);
}

TEST(Sweeper, SleepsToTheDeadlineWithinItsBounds) {
  EXPECT_EQ(UntilSweep(At(120ms), At(100ms)), 20ms);
  EXPECT_EQ(UntilSweep(At(101ms), At(100ms)), kSweepInterval);
  EXPECT_EQ(UntilSweep(At(99ms), At(100ms)), kSweepInterval);
  EXPECT_EQ(UntilSweep(TimePoint::min(), At(100ms)), kSweepInterval);
  EXPECT_EQ(UntilSweep(At(1h), At(100ms)), kCancelInterval);
  EXPECT_EQ(UntilSweep(TimePoint::max(), At(100ms)), kCancelInterval) << "it may be cancelled";
}

TEST(Sweeper, SweepsAgainWhileItIsToldTo) {
  ManualClock clock;
  std::promise<void> third;
  int sweeps = 0;
  Sweeper sweeper(clock, [&] {
    if (++sweeps == 3) third.set_value();
    return sweeps < 3 ? clock.Now() : TimePoint::max();
  });
  sweeper.Wake(clock.Now());
  third.get_future().wait();
  sweeper.Stop();
  EXPECT_EQ(sweeps, 3);
}

}  // namespace
}  // namespace snug::serving
