#include "serving/model_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(TokenBucket, HoldsABurstAndFillsAtTheRate) {
  ManualClock clock;
  TokenBucket bucket(10, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.Take(clock.Now()), 0ns);
  EXPECT_EQ(bucket.Take(clock.Now()), 100ms);
  clock.Advance(40ms);
  EXPECT_EQ(bucket.Take(clock.Now()), 60ms) << "asking takes nothing";
  clock.Advance(60ms);
  EXPECT_EQ(bucket.Take(clock.Now()), 0ns);
  EXPECT_GT(bucket.Take(clock.Now()), 0ns);
  clock.Advance(1h);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.Take(clock.Now()), 0ns) << "never more than the burst";
  EXPECT_GT(bucket.Take(clock.Now()), 0ns);
}

TEST(TokenBucket, GivesTheRateOverALongTime) {
  ManualClock clock;
  TokenBucket bucket(7.5, 1);
  int taken = 0;
  for (int ms = 0; ms < 100'000; ++ms, clock.Advance(1ms)) taken += bucket.Take(clock.Now()) == 0ns ? 1 : 0;
  EXPECT_NEAR(taken, 750, 8);
}

TEST(ModelLimits, NameTheLimitAndWhenToComeAgain) {
  ManualClock clock;
  ModelLimits rate("m", {0.1, 1, 0});
  EXPECT_TRUE(rate.Enter(clock.Now()).ok());
  const Status refused = rate.Enter(clock.Now());
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.text(),
              HasSubstr("model \"m\" takes 0.1 requests per second (limits.requests_per_second"));
  EXPECT_THAT(refused.text(), HasSubstr("try again in 10.000 s"));
  EXPECT_EQ(RetryAfterSeconds(refused), 10);
  EXPECT_EQ(RetryAfterSeconds(Error(Code::kResourceExhausted, "the queue is full")), 1);
}

TEST(ModelLimits, CountWhoIsInside) {
  ManualClock clock;
  ModelLimits limits("m", {0, 0, 2});
  EXPECT_TRUE(limits.Enter(clock.Now()).ok());
  EXPECT_TRUE(limits.Enter(clock.Now()).ok());
  EXPECT_THAT(limits.Enter(clock.Now()).text(), HasSubstr("2 requests under way (limits.concurrent"));
  limits.Leave();
  EXPECT_TRUE(limits.Enter(clock.Now()).ok());
}

TEST(ModelLimits, ARequestOverTheRateIsNotCountedAsInside) {
  ManualClock clock;
  ModelLimits limits("m", {1, 1, 2});
  EXPECT_TRUE(limits.Enter(clock.Now()).ok());
  EXPECT_FALSE(limits.Enter(clock.Now()).ok());
  clock.Advance(1s);
  EXPECT_TRUE(limits.Enter(clock.Now()).ok());
}

}  // namespace
}  // namespace snug::serving
