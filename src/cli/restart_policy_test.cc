#include "cli/restart_policy.h"

#include <gtest/gtest.h>

namespace snug::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RestartPolicyTest, PausesGrowToTheirBound) {
  RestartPolicy policy;
  EXPECT_EQ(policy.OnEnd(seconds(1), true), milliseconds(100));
  EXPECT_EQ(policy.OnEnd(seconds(1), false), milliseconds(200));
  EXPECT_EQ(policy.OnEnd(seconds(1), false), milliseconds(400));
  for (int i = 0; i < 100; ++i) ASSERT_LE(policy.OnEnd(seconds(1), false), RestartPolicy::kPauseMax);
  EXPECT_EQ(policy.OnEnd(seconds(1), false), RestartPolicy::kPauseMax);
}

TEST(RestartPolicyTest, ALongLifeForgives) {
  RestartPolicy policy;
  for (int i = 0; i < 10; ++i) policy.OnEnd(seconds(1), true);
  EXPECT_EQ(policy.OnEnd(seconds(31), true), milliseconds(100));
}

TEST(RestartPolicyTest, GivesUpOnlyWhenItNeverListened) {
  RestartPolicy policy;
  EXPECT_TRUE(policy.OnEnd(seconds(0), false));
  EXPECT_TRUE(policy.OnEnd(seconds(0), false));
  EXPECT_FALSE(policy.OnEnd(seconds(0), false));
}

}  // namespace
}  // namespace snug::cli
