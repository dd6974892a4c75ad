#include "controller/use_history.h"

#include <gtest/gtest.h>

namespace snug::controller {
namespace {

TEST(UseHistory, TheMeanOfWhatWasSeen) {
  UseHistory use;
  EXPECT_EQ(use.Ratio("g1", 2), 0);
  for (int i = 0; i <= 10; ++i) use.Observe("g1", 7, 5.0 + i, 1000.0 + i);  // one core busy
  EXPECT_NEAR(use.Ratio("g1", 2), 0.5, 1e-9);
  EXPECT_NEAR(use.Seconds("g1"), 10, 1e-9);
}

TEST(UseHistory, ANewProcessBeginsAtZeroAndAbsenceIsNotIdleTime) {
  UseHistory use;
  use.Observe("g1", 7, 100, 1000);
  use.Observe("g1", 8, 1, 1001);  // restarted: its second is all new
  EXPECT_NEAR(use.Ratio("g1", 1), 1.0, 1e-9);
  use.Observe("g1", 8, 2, 5000);  // we were away
  EXPECT_NEAR(use.Seconds("g1"), 1, 1e-9);
}

TEST(UseHistory, TheWindowMovesOn) {
  UseHistory use;
  for (int i = 0; i <= 100; ++i) use.Observe("g1", 7, i, i);  // busy
  double later = 100 + kUseWindowSeconds + 2 * kUseBucketSeconds;
  for (int i = 0; i <= 20; ++i) use.Observe("g1", 7, 100, later + i);  // idle
  EXPECT_EQ(use.Ratio("g1", 1), 0);
}

TEST(UseHistory, BucketsAreSavedAndLoaded) {
  UseHistory use;
  for (int i = 0; i <= 10; ++i) use.Observe("g1", 7, i, 1000.0 + i);
  auto rows = use.TakeChanged();
  ASSERT_FALSE(rows.empty());
  EXPECT_TRUE(use.TakeChanged().empty());
  UseHistory next;
  next.Load(rows);
  EXPECT_NEAR(next.Ratio("g1", 1), use.Ratio("g1", 1), 1e-9);
  next.Forget("g1");
  EXPECT_EQ(next.Seconds("g1"), 0);
}

}  // namespace
}  // namespace snug::controller
