#include "base/backoff.h"

#include <gtest/gtest.h>

namespace snug {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(BackoffTest, DoublesToItsLimitAndForgives) {
  Backoff backoff({milliseconds(100), seconds(30), seconds(60)});
  EXPECT_EQ(backoff.Next({}), milliseconds(100));
  EXPECT_EQ(backoff.Next({}), milliseconds(200));
  for (int i = 0; i < 100; ++i) ASSERT_LE(backoff.Next({}), seconds(30));
  EXPECT_EQ(backoff.Next(seconds(59)), seconds(30));
  EXPECT_EQ(backoff.Next(seconds(60)), milliseconds(100));
  EXPECT_EQ(backoff.Next({}), milliseconds(200));
}

TEST(BackoffTest, TheFirstMayBeFree) {
  Backoff backoff({milliseconds(200), seconds(1), seconds(10), true});
  for (int delay_ms : {0, 200, 400, 800, 1000, 1000}) EXPECT_EQ(backoff.Next({}), milliseconds(delay_ms));
  EXPECT_EQ(backoff.Next(seconds(10)), milliseconds(0));
}

}  // namespace
}  // namespace snug
