#include "serving/slow_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class SlowRequestsTest : public testing::Test {
 protected:
  void Offer(Duration total) {
    if (!slow_.Wants(total, clock_.Now())) return;
    SlowRequest request;
    request.total = total;
    slow_.Offer(std::move(request), clock_.Now());
  }
  std::vector<int64_t> Milliseconds() {
    std::vector<int64_t> all;
    for (const SlowRequest& one : slow_.Slowest(clock_.Now())) all.push_back(one.total / 1ms);
    return all;
  }

  ManualClock clock_;
  SlowRequests slow_{3, 10min};
};

TEST_F(SlowRequestsTest, KeepsTheSlowest) {
  for (auto total : {5ms, 1ms, 9ms, 2ms, 7ms}) Offer(total);
  EXPECT_THAT(Milliseconds(), ElementsAre(9, 7, 5));
  EXPECT_FALSE(slow_.Wants(5ms, clock_.Now()));
  EXPECT_TRUE(slow_.Wants(6ms, clock_.Now()));
}

TEST_F(SlowRequestsTest, ForgetsWhatIsLongAgo) {
  Offer(100ms);
  clock_.Advance(6min);
  Offer(1ms);
  EXPECT_THAT(Milliseconds(), ElementsAre(100, 1));
  clock_.Advance(6min);
  EXPECT_TRUE(slow_.Wants(0ms, clock_.Now())) << "a new half begins with any request";
  EXPECT_THAT(Milliseconds(), ElementsAre(1));
  clock_.Advance(1h);
  EXPECT_THAT(Milliseconds(), ElementsAre());
}

}  // namespace
}  // namespace snug::serving
