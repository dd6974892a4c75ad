#include "serving/compute_shares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ComputeShares, WhereThreadsAreFreeNobodyWaits) {
  ComputeShares shares(2, 0);
  const auto a = shares.Add(1), b = shares.Add(1);
  EXPECT_TRUE(shares.Enter(a, 1, 1));
  EXPECT_TRUE(shares.Enter(b, 1, 2));
  EXPECT_FALSE(shares.Enter(a, 1, 3));
  EXPECT_EQ(shares.busy(), 2);
  EXPECT_THAT(shares.Leave(b, 1, 1ms), ElementsAre(3));
  EXPECT_THAT(shares.Leave(a, 1, 1ms), IsEmpty());
  EXPECT_EQ(shares.busy(), 1);
}

TEST(ComputeShares, WhoComesBackGoesBeforeAFlood) {
  ComputeShares shares(1, 0);
  const auto flood = shares.Add(1), rare = shares.Add(1);
  ASSERT_TRUE(shares.Enter(flood, 1, 1));
  for (uint64_t ticket = 2; ticket < 100; ++ticket) ASSERT_FALSE(shares.Enter(flood, 1, ticket));
  EXPECT_THAT(shares.Leave(flood, 1, 10ms), ElementsAre(2));
  ASSERT_FALSE(shares.Enter(rare, 1, 1000));
  EXPECT_THAT(shares.Leave(flood, 1, 10ms), ElementsAre(1000)) << "after the one execution that runs";
  EXPECT_THAT(shares.Leave(rare, 1, 1ms), ElementsAre(3));
}

TEST(ComputeShares, AnIdleModelSavesLittleUp) {
  ComputeShares shares(1, 0);
  const auto a = shares.Add(1), b = shares.Add(1);
  for (uint64_t ticket = 1; ticket <= 100; ++ticket) {
    ASSERT_TRUE(shares.Enter(a, 1, ticket));
    ASSERT_THAT(shares.Leave(a, 1, 1s), IsEmpty());
  }
  ASSERT_TRUE(shares.Enter(a, 1, 1));
  ASSERT_FALSE(shares.Enter(a, 1, 2));
  for (uint64_t ticket = 1001; ticket < 1100; ++ticket) ASSERT_FALSE(shares.Enter(b, 1, ticket));
  ASSERT_THAT(shares.Leave(a, 1, 1s), ElementsAre(1001));
  int executions = 1;
  while (shares.Leave(b, 1, 1s)[0] != 2) ++executions;
  EXPECT_LE(executions, kCreditExecutions + 1) << "a is not made to pay for the past";
}

TEST(ComputeShares, WhoIsBehindRunsBesideWhereThatIsLent) {
  ComputeShares shares(1, 1);
  const auto flood = shares.Add(1), rare = shares.Add(1);
  ASSERT_TRUE(shares.Enter(flood, 1, 1));
  shares.Leave(flood, 1, 10ms);
  ASSERT_TRUE(shares.Enter(flood, 1, 2));
  EXPECT_FALSE(shares.Enter(flood, 1, 3)) << "to nobody who runs already";
  EXPECT_TRUE(shares.Enter(rare, 1, 4));
  EXPECT_FALSE(shares.Enter(rare, 1, 5));
  EXPECT_THAT(shares.Leave(flood, 1, 10ms), IsEmpty()) << "the flood waits for what was lent";
  EXPECT_THAT(shares.Leave(rare, 1, 1ms), ElementsAre(5));
  EXPECT_THAT(shares.Leave(rare, 1, 11ms), ElementsAre(3));
}

TEST(ComputeShares, OneThatIsLargerThanAllThreadsRunsAlone) {
  ComputeShares shares(2, 0);
  const auto large = shares.Add(1), small = shares.Add(1);
  ASSERT_TRUE(shares.Enter(small, 1, 1));
  ASSERT_FALSE(shares.Enter(large, 4, 2));
  EXPECT_FALSE(shares.TryEnter(small, 1)) << "it would never come to its turn";
  EXPECT_THAT(shares.Leave(small, 1, 1ms), ElementsAre(2));
  EXPECT_FALSE(shares.TryEnter(small, 1));
  EXPECT_THAT(shares.Leave(large, 4, 1ms), IsEmpty());
  EXPECT_TRUE(shares.TryEnter(small, 1));
}

// Models whose workers want to execute again and again, on a virtual clock.
class Flood {
 public:
  struct Model {
    double weight = 1;
    int workers = 1;
    Duration takes{0};   // an execution
    Duration pause{0};   // of a worker between two
    double seconds = 0;  // executed
    Duration waited_most{0};
  };

  Flood(int threads, std::vector<Model> models) : shares_(threads, 0), models_(std::move(models)) {
    for (size_t i = 0; i < models_.size(); ++i) {
      members_.push_back(shares_.Add(models_[i].weight));
      for (int worker = 0; worker < models_[i].workers; ++worker) workers_.push_back({i, kWants, now_, now_});
    }
  }

  const std::vector<Model>& Run(Duration until) {
    while (now_ < TimePoint(until)) Step();
    return models_;
  }

 private:
  enum State { kWants, kWaits, kRuns };
  struct Worker {
    size_t model;
    State state;
    TimePoint next;   // kWants, kRuns: when that ends
    TimePoint since;  // kWaits
  };

  void Begin(Worker& worker) {
    Model& model = models_[worker.model];
    model.waited_most = std::max(model.waited_most, now_ - worker.since);
    worker.state = kRuns;
    worker.next = now_ + model.takes;
  }
  void End(Worker& worker, uint64_t ticket) {
    const Model& model = models_[worker.model];
    const auto member = members_[worker.model];
    models_[worker.model].seconds += Seconds(model.takes);
    const bool again = model.pause == 0s;
    worker.state = again ? kWaits : kWants;
    worker.next = now_ + model.pause;
    worker.since = now_;
    for (uint64_t begun :
         again ? shares_.Again(member, 1, model.takes, ticket) : shares_.Leave(member, 1, model.takes))
      Begin(workers_[begun]);
  }
  void Want(Worker& worker, uint64_t ticket) {
    worker.state = kWaits;
    worker.since = now_;
    if (shares_.Enter(members_[worker.model], 1, ticket)) Begin(worker);
  }
  void Step() {
    auto next = std::min_element(workers_.begin(), workers_.end(), [](const Worker& a, const Worker& b) {
      const auto at = [](const Worker& worker) {
        return worker.state == kWaits ? TimePoint::max() : worker.next;
      };
      return at(a) < at(b);
    });
    now_ = next->next;
    const auto ticket = static_cast<uint64_t>(next - workers_.begin());
    next->state == kRuns ? End(*next, ticket) : Want(*next, ticket);
  }

  TimePoint now_{};
  ComputeShares shares_;
  std::vector<Model> models_;
  std::vector<ComputeShares::Member> members_;
  std::vector<Worker> workers_;
};

TEST(ComputeShares, TimeIsSharedByWeightNotByInstances) {
  for (double weight : {1.0, 3.0}) {
    Flood flood(1, {{1, 8, 10ms}, {weight, 1, 1ms}, {1, 2, 4ms}});
    const auto& models = flood.Run(60s);
    EXPECT_NEAR(models[1].seconds / models[0].seconds, weight, 0.05 * weight);
    EXPECT_NEAR(models[2].seconds / models[0].seconds, 1, 0.05);
    EXPECT_NEAR(models[0].seconds + models[1].seconds + models[2].seconds, 60, 0.5)
        << "the thread never idles";
  }
}

TEST(ComputeShares, ALightModelWaitsForOneExecutionAtMost) {
  Flood flood(1, {{1, 8, 10ms}, {1, 1, 1ms, 17ms}});
  const auto& models = flood.Run(60s);
  EXPECT_LE(models[1].waited_most, 10ms);
  EXPECT_NEAR(models[0].seconds + models[1].seconds, 60, 0.5);
}

}  // namespace
}  // namespace snug::serving
