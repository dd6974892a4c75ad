#include "serving/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

TimePoint At(Duration d) {
  return TimePoint(d);
}

BatchRequest Of(uint64_t id, int64_t rows = 1, uint64_t signature = 7, size_t level = 0) {
  BatchRequest request;
  request.id = id;
  request.rows = rows;
  request.signature = signature;
  request.level = level;
  return request;
}

BatchPolicy Rows(int64_t rows_max, std::vector<int64_t> sizes = {}) {
  BatchPolicy policy;
  policy.rows_max = rows_max;
  policy.sizes = std::move(sizes);
  return policy;
}

std::vector<uint64_t> Ids(const Decision& decision) {
  std::vector<uint64_t> ids;
  for (const BatchPart& part : decision.parts) ids.push_back(part.id);
  return ids;
}

TEST(Batcher, TakesWhatWaitsAtOnce) {
  Batcher batcher(Rows(4));
  EXPECT_THAT(batcher.Take(At(0s)).parts, IsEmpty());
  ASSERT_TRUE(batcher.Add(Of(1)));
  Decision one = batcher.Take(At(0s));
  EXPECT_THAT(one.parts, ElementsAre(BatchPart{1, 0, 1}));
  EXPECT_EQ(one.size, 1);
  for (uint64_t id = 2; id < 8; ++id) ASSERT_TRUE(batcher.Add(Of(id)));
  EXPECT_THAT(Ids(batcher.Take(At(0s))), ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(Ids(batcher.Take(At(0s))), ElementsAre(6, 7));
  EXPECT_TRUE(batcher.empty());
}

TEST(Batcher, AnotherShapeQueuesBesideAndClosesNothing) {
  Batcher batcher(Rows(8));
  for (uint64_t id = 1; id <= 6; ++id) ASSERT_TRUE(batcher.Add(Of(id, 1, id % 2)));
  EXPECT_THAT(Ids(batcher.Take(At(0s))), ElementsAre(1, 3, 5));
  EXPECT_THAT(Ids(batcher.Take(At(0s))), ElementsAre(2, 4, 6));
}

TEST(Batcher, OneThatDoesNotFitIsSkippedAndLeadsTheNext) {
  Batcher batcher(Rows(4));
  for (auto [id, rows] : {std::pair{1, 2}, {2, 3}, {3, 1}, {4, 1}}) {
    ASSERT_TRUE(batcher.Add(Of(static_cast<uint64_t>(id), rows)));
  }
  EXPECT_THAT(Ids(batcher.Take(At(0s))), ElementsAre(1, 3, 4));
  EXPECT_THAT(Ids(batcher.Take(At(0s))), ElementsAre(2));
}

TEST(Batcher, SplitsALargeRequestAndLetsOthersBetween) {
  Batcher batcher(Rows(4));
  ASSERT_TRUE(batcher.Add(Of(1, 10)));
  ASSERT_TRUE(batcher.Add(Of(2)));
  EXPECT_THAT(batcher.Take(At(0s)).parts, ElementsAre(BatchPart{1, 0, 4}));
  EXPECT_THAT(batcher.Take(At(0s)).parts, ElementsAre(BatchPart{2, 0, 1}));
  EXPECT_EQ(batcher.size(), 1U);
  EXPECT_THAT(batcher.Take(At(0s)).parts, ElementsAre(BatchPart{1, 4, 4}));
  ASSERT_TRUE(batcher.Add(Of(3)));
  EXPECT_THAT(batcher.Take(At(0s)).parts, ElementsAre(BatchPart{1, 8, 2}, BatchPart{3, 0, 1}));
}

struct SizeRow {
  int waiting;
  int64_t rows, size;
};

TEST(Batcher, PadsToAnAllowedSizeButNotMostOfIt) {
  for (auto [waiting, rows, size] :
       {SizeRow{1, 1, 1}, {2, 1, 1}, {3, 1, 1}, {4, 4, 8}, {7, 7, 8}, {9, 8, 8}}) {
    Batcher batcher(Rows(8, {1, 8}));
    for (int i = 0; i < waiting; ++i) ASSERT_TRUE(batcher.Add(Of(static_cast<uint64_t>(i))));
    Decision decision = batcher.Take(At(0s));
    EXPECT_EQ(decision.rows, rows) << waiting;
    EXPECT_EQ(decision.size, size) << waiting;
  }
}

TEST(Batcher, PadsWhenNoSmallerSizeIsAllowed) {
  Batcher batcher(Rows(8, {8}));
  ASSERT_TRUE(batcher.Add(Of(1)));
  EXPECT_EQ(batcher.Take(At(0s)).size, 8);
}

TEST(Batcher, AHigherPriorityGoesFirstAndBatchesAreFilledFromLower) {
  BatchPolicy policy = Rows(2);
  policy.levels.resize(2);
  Batcher batcher(policy);
  ASSERT_TRUE(batcher.Add(Of(1, 1, 7, 1)));
  ASSERT_TRUE(batcher.Add(Of(2, 1, 7, 1)));
  ASSERT_TRUE(batcher.Add(Of(3, 1, 7, 0)));
  EXPECT_THAT(Ids(batcher.Take(At(0s))), ElementsAre(3, 1));
}

TEST(Batcher, ALowerPriorityIsPassedOverOnlySoOften) {
  BatchPolicy policy = Rows(1);
  policy.levels.resize(2);
  Batcher batcher(policy);
  ASSERT_TRUE(batcher.Add(Of(1000, 1, 7, 1)));
  for (int i = 0; i < kPassesMax; ++i) {
    ASSERT_TRUE(batcher.Add(Of(static_cast<uint64_t>(i))));
    EXPECT_THAT(Ids(batcher.Take(At(0s))), ElementsAre(i));
  }
  ASSERT_TRUE(batcher.Add(Of(2000)));
  EXPECT_THAT(Ids(batcher.Take(At(0s))), ElementsAre(1000));
}

TEST(Batcher, APriorityHasItsOwnQueueLimit) {
  BatchPolicy policy = Rows(1);
  policy.levels.resize(2);
  policy.levels[1].queue_max = 1;
  Batcher batcher(policy);
  EXPECT_TRUE(batcher.Add(Of(1, 1, 7, 1)));
  EXPECT_FALSE(batcher.Add(Of(2, 1, 7, 1)));
  EXPECT_TRUE(batcher.Add(Of(3)));
  EXPECT_EQ(batcher.size(), 2U);
}

TEST(Batcher, DeadlinesAreEnforcedBeforeBatching) {
  Batcher batcher(Rows(4));
  BatchRequest request = Of(1);
  request.deadline = At(5ms);
  ASSERT_TRUE(batcher.Add(request));
  ASSERT_TRUE(batcher.Add(Of(2)));
  EXPECT_THAT(batcher.Expire(At(4ms)), IsEmpty());
  Decision decision = batcher.Take(At(5ms));
  EXPECT_THAT(Ids(decision), ElementsAre(2));
  ASSERT_EQ(decision.expired.size(), 1U);
  EXPECT_EQ(decision.expired[0].id, 1U);
  EXPECT_FALSE(decision.expired[0].by_policy);
}

TEST(Batcher, ATimeoutOfAPriorityRejectsOrDelays) {
  BatchPolicy policy = Rows(1);
  policy.levels = {{SIZE_MAX, 10ms, OnTimeout::kDelay}, {SIZE_MAX, 10ms, OnTimeout::kReject}};
  Batcher batcher(policy);
  ASSERT_TRUE(batcher.Add(Of(1, 1, 7, 0)));
  ASSERT_TRUE(batcher.Add(Of(2, 1, 7, 1)));
  auto expired = batcher.Expire(At(10ms));
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_EQ(expired[0].id, 2U);
  EXPECT_TRUE(expired[0].by_policy);
  BatchRequest later = Of(3, 1, 7, 1);
  later.arrival = At(10ms);
  ASSERT_TRUE(batcher.Add(later));
  EXPECT_THAT(Ids(batcher.Take(At(11ms))), ElementsAre(3)) << "one that is late gives way to all others";
  EXPECT_THAT(Ids(batcher.Take(At(11ms))), ElementsAre(1));
}

BatchPolicy Waiting() {
  BatchPolicy policy = Rows(4);
  policy.delay_max = 10ms;
  policy.saving = 5ms;
  return policy;
}

void Arrive(Batcher& batcher, uint64_t id, TimePoint at) {
  BatchRequest request = Of(id);
  request.arrival = at;
  ASSERT_TRUE(batcher.Add(request));
}

TEST(Batcher, WaitsOnlyWhileOneMoreIsExpectedSoonerThanItSaves) {
  Batcher batcher(Waiting());
  Arrive(batcher, 1, At(0ms));
  EXPECT_THAT(Ids(batcher.Take(At(0ms))), ElementsAre(1)) << "nothing is known of the rate yet";
  Arrive(batcher, 2, At(2ms));
  Decision wait = batcher.Take(At(2ms));
  EXPECT_THAT(wait.parts, IsEmpty());
  EXPECT_EQ(wait.wake, At(7ms));
  Arrive(batcher, 3, At(4ms));
  EXPECT_EQ(batcher.Take(At(4ms)).wake, At(9ms));
  EXPECT_THAT(Ids(batcher.Take(At(9ms))), ElementsAre(2, 3)) << "nothing more came";
}

TEST(Batcher, NeverWaitsBeyondTheLimitNorForAFullBatch) {
  Batcher batcher(Waiting());
  Arrive(batcher, 1, At(0ms));
  Arrive(batcher, 2, At(4ms));
  Arrive(batcher, 3, At(8ms));
  EXPECT_EQ(batcher.Take(At(8ms)).wake, At(10ms));
  Arrive(batcher, 4, At(9ms));
  EXPECT_THAT(Ids(batcher.Take(At(9ms))), ElementsAre(1, 2, 3, 4));
}

TEST(Batcher, ALoneClientNeverWaits) {
  Batcher batcher(Waiting());
  for (uint64_t i = 0; i < 100; ++i) {
    const TimePoint at = At(6ms * i);
    Arrive(batcher, i, at);
    EXPECT_THAT(Ids(batcher.Take(at)), ElementsAre(i));
  }
}

TEST(Batcher, RemovesOneWhereverItStands) {
  Batcher batcher(Rows(4));
  for (uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(batcher.Add(Of(id)));
  EXPECT_TRUE(batcher.Remove(2));
  EXPECT_FALSE(batcher.Remove(2));
  EXPECT_THAT(Ids(batcher.Take(At(0s))), ElementsAre(1, 3));
}

// Random traffic: every row is executed exactly once, batches keep to their bounds, and nobody starves.
class Traffic {
 public:
  explicit Traffic(uint32_t seed) : random_(seed) {
    BatchPolicy policy = Rows(8, Pick(2) == 0 ? std::vector<int64_t>{} : std::vector<int64_t>{1, 2, 8});
    policy.levels.resize(3);
    batcher_ = std::make_unique<Batcher>(policy);
  }
  void Run() {
    for (int step = 0; step < 400; ++step) {
      for (uint64_t n = Pick(4); n > 0; --n) Arrive();
      Execute();
    }
    while (!batcher_->empty()) Execute();
    for (const auto& [id, seen] : inside_) ADD_FAILURE() << "request " << id << " was lost";
  }

 private:
  struct Seen {
    BatchRequest request;
    int64_t rows = 0;
  };
  uint64_t Pick(uint64_t n) { return random_() % n; }
  void Arrive() {
    BatchRequest request =
        Of(++ids_, static_cast<int64_t>(1 + Pick(Pick(10) == 0 ? 30 : 4)), Pick(3), Pick(3));
    ASSERT_TRUE(batcher_->Add(request));
    inside_[request.id] = {request, 0};
  }
  void Execute() {
    Decision decision = batcher_->Take(At(0s));
    int64_t rows = 0;
    std::array<bool, 3> waiting{}, served{};
    for (const auto& [id, seen] : inside_) waiting[seen.request.level] = true;
    for (const BatchPart& part : decision.parts) {
      Seen& seen = inside_.at(part.id);
      EXPECT_EQ(seen.request.signature, inside_.at(decision.parts[0].id).request.signature);
      EXPECT_EQ(part.row_begin, seen.rows);
      served[seen.request.level] = true;
      seen.rows += part.rows;
      rows += part.rows;
    }
    for (const BatchPart& part : decision.parts) {
      if (inside_.at(part.id).rows == inside_.at(part.id).request.rows) inside_.erase(part.id);
    }
    EXPECT_EQ(rows, decision.rows);
    EXPECT_LE(decision.rows, decision.size);
    EXPECT_LE(decision.size, 8);
    for (size_t level = 0; level < 3; ++level) {
      passed_[level] = waiting[level] && !served[level] ? passed_[level] + 1 : 0;
      EXPECT_LE(passed_[level], kPassesMax + 3);
    }
  }

  std::mt19937 random_;
  std::unique_ptr<Batcher> batcher_;
  std::map<uint64_t, Seen> inside_;
  std::array<int, 3> passed_{};
  uint64_t ids_ = 0;
};

TEST(Batcher, LosesNothingAndStarvesNobody) {
  for (uint32_t seed = 0; seed < 30; ++seed) Traffic(seed).Run();
}

}  // namespace
}  // namespace snug::serving
