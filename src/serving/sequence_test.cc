#include "serving/sequence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/rng.h"

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Strategy = SequencePolicy::Strategy;

constexpr TimePoint kStart;

SequencePolicy Policy(Strategy strategy, size_t instances, size_t rows_max, size_t sequences_max = 4) {
  SequencePolicy policy;
  policy.strategy = strategy;
  policy.model = "m";
  policy.instances = instances;
  policy.rows_max = rows_max;
  policy.sequences_max = sequences_max;
  policy.backlog_max = 2;
  policy.idle_max = 1s;
  return policy;
}

SequenceRequest Request(uint64_t id, uint64_t sequence, const char* flags = "", TimePoint arrival = kStart) {
  SequenceRequest request;
  request.id = id;
  request.arrival = arrival;
  request.mark.id.number = sequence;
  request.mark.start = std::string_view(flags).find('s') != std::string_view::npos;
  request.mark.end = std::string_view(flags).find('e') != std::string_view::npos;
  return request;
}

std::vector<uint64_t> Ids(const SequenceWork& work) {
  std::vector<uint64_t> ids;
  for (const SequenceRow& row : work.rows) ids.push_back(row.request);
  return ids;
}

std::vector<uint64_t> Ids(const std::vector<SequenceDrop>& drops) {
  std::vector<uint64_t> ids;
  ids.reserve(drops.size());
  for (const SequenceDrop& drop : drops) ids.push_back(drop.request);
  return ids;
}

// What the instance executes now, until it is done at once.
std::vector<uint64_t> Execute(Sequencer& sequencer, size_t instance, TimePoint now = kStart) {
  auto ids = Ids(sequencer.Take(instance, now));
  sequencer.Done(instance, now);
  return ids;
}

TEST(Sequencer, WantsAnIdAndAStart) {
  Sequencer sequencer(Policy(Strategy::kDirect, 1, 1));
  Status none = sequencer.Add(Request(1, 0, "s"), kStart);
  EXPECT_EQ(none.code(), Code::kInvalidArgument);
  EXPECT_THAT(none.text(), HasSubstr("must specify a non-zero or non-empty correlation ID"));
  Status unknown = sequencer.Add(Request(2, 7), kStart);
  EXPECT_EQ(unknown.code(), Code::kInvalidArgument);
  EXPECT_THAT(unknown.text(),
              HasSubstr("inference request for sequence 7 to model 'm' must specify the START "
                        "flag on the first request of the sequence"));
  SequenceRequest text = Request(3, 0, "s");
  text.mark.id.text = "call-5";
  EXPECT_TRUE(sequencer.Add(text, kStart).ok());
  SequenceRequest endless = text;
  endless.mark.id.text = std::string(kCorrelationTextBytesMax + 1, 'x');
  EXPECT_THAT(sequencer.Add(endless, kStart).text(), HasSubstr("at most 128 are taken"));
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(3));
}

TEST(Sequencer, AfterTheEndComesAStart) {
  Sequencer sequencer(Policy(Strategy::kDirect, 1, 1));
  EXPECT_TRUE(sequencer.Add(Request(1, 7, "s"), kStart).ok());
  EXPECT_TRUE(sequencer.Add(Request(2, 7, "e"), kStart).ok());
  EXPECT_FALSE(sequencer.Add(Request(3, 7), kStart).ok());
  EXPECT_TRUE(sequencer.Add(Request(4, 7, "s"), kStart).ok());
  for (uint64_t id : {1, 2, 4}) EXPECT_THAT(Execute(sequencer, 0), ElementsAre(id));
}

TEST(Sequencer, NumbersEachSequenceAndTellsOfItsEnd) {
  Sequencer sequencer(Policy(Strategy::kOldest, 1, 1));
  for (auto [id, flags] : {std::pair{1, "s"}, {2, "e"}, {3, "s"}, {4, "s"}}) {
    ASSERT_TRUE(sequencer.Add(Request(static_cast<uint64_t>(id), 7, flags), kStart).ok());
  }
  std::vector<uint64_t> numbers;
  for (int i = 0; i < 4; ++i) {
    numbers.push_back(sequencer.Take(0, kStart).rows[0].sequence);
    sequencer.Done(0, kStart);
  }
  EXPECT_THAT(numbers, ElementsAre(1, 1, 2, 3)) << "a start breaks off what went before";
  EXPECT_THAT(sequencer.TakeEnded(), ElementsAre(1, 2));
  EXPECT_EQ(sequencer.sequences(), 1U);
}

TEST(Sequencer, DirectKeepsEachSequenceInItsRow) {
  Sequencer sequencer(Policy(Strategy::kDirect, 1, 3));
  for (uint64_t s : {1, 2, 3}) ASSERT_TRUE(sequencer.Add(Request(s, s, "s"), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(1, 2, 3));
  ASSERT_TRUE(sequencer.Add(Request(5, 3), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(0, 0, 5)) << "rows without a request are there, not ready";
  ASSERT_TRUE(sequencer.Add(Request(6, 1, "e"), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(6)) << "and none beyond the last that is needed";
  ASSERT_TRUE(sequencer.Add(Request(7, 4, "s"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(8, 2), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(7, 8)) << "the row of a sequence that ended is free";
}

TEST(Sequencer, SequencesSpreadOverInstancesAndStay) {
  Sequencer sequencer(Policy(Strategy::kDirect, 2, 1));
  ASSERT_TRUE(sequencer.Add(Request(1, 1, "s"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(2, 2, "s"), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(1));
  EXPECT_THAT(Execute(sequencer, 1), ElementsAre(2));
  ASSERT_TRUE(sequencer.Add(Request(3, 2), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), IsEmpty());
  EXPECT_THAT(Execute(sequencer, 1), ElementsAre(3));
}

TEST(Sequencer, OldestTakesOneOfEachSequenceByAge) {
  Sequencer sequencer(Policy(Strategy::kOldest, 1, 2, 8));
  ASSERT_TRUE(sequencer.Add(Request(1, 1, "s"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(2, 1), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(3, 2, "s"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(4, 3, "s"), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(1, 3));
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(2, 4));
}

TEST(Sequencer, OnlyEqualShapesAreExecutedTogether) {
  for (Strategy strategy : {Strategy::kOldest, Strategy::kDirect}) {
    Sequencer sequencer(Policy(strategy, 1, 4));
    SequenceRequest other = Request(2, 2, "s");
    other.signature = 9;
    ASSERT_TRUE(sequencer.Add(Request(1, 1, "s"), kStart).ok());
    ASSERT_TRUE(sequencer.Add(other, kStart).ok());
    ASSERT_TRUE(sequencer.Add(Request(3, 3, "s"), kStart).ok());
    const auto first = Execute(sequencer, 0);
    EXPECT_EQ(first.front(), 1U);
    EXPECT_EQ(first.back(), 3U);
    EXPECT_EQ(Execute(sequencer, 0).back(), 2U);
  }
}

TEST(Sequencer, OthersWaitForAPlaceUpToALimit) {
  Sequencer sequencer(Policy(Strategy::kDirect, 1, 1));
  for (uint64_t s : {1, 2, 3}) ASSERT_TRUE(sequencer.Add(Request(s, s, "s"), kStart).ok());
  Status full = sequencer.Add(Request(4, 4, "s"), kStart);
  EXPECT_EQ(full.code(), Code::kResourceExhausted);
  EXPECT_THAT(full.text(), HasSubstr("1 sequences are under way and 2 wait already"));
  ASSERT_TRUE(sequencer.Add(Request(5, 1, "e"), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(1));
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(5));
  EXPECT_EQ(sequencer.placed_later(), 1U);
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(2));
  EXPECT_THAT(Execute(sequencer, 0), IsEmpty()) << "sequence 2 may go on";
}

TEST(Sequencer, WhoBeginsAnewGoesBehindThoseThatWait) {
  Sequencer sequencer(Policy(Strategy::kDirect, 1, 1));
  ASSERT_TRUE(sequencer.Add(Request(1, 1, "se"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(2, 2, "se"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(3, 1, "se"), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(1));
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(2));
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(3));
  EXPECT_EQ(sequencer.sequences(), 0U);
}

TEST(Sequencer, AnIdleSequenceLosesItsPlace) {
  Sequencer sequencer(Policy(Strategy::kDirect, 1, 1));
  ASSERT_TRUE(sequencer.Add(Request(1, 1, "s"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(2, 2, "s"), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(1));
  const SequenceWork nothing = sequencer.Take(0, kStart + 500ms);
  EXPECT_THAT(nothing.rows, IsEmpty());
  EXPECT_EQ(nothing.wake, kStart + 1s);
  EXPECT_THAT(Execute(sequencer, 0, kStart + 1s), ElementsAre(2));
  EXPECT_THAT(sequencer.TakeEnded(), ElementsAre(1));
  EXPECT_FALSE(sequencer.Add(Request(3, 1), kStart + 1s).ok());
}

TEST(Sequencer, ARequestKeepsItsSequenceFromIdling) {
  Sequencer sequencer(Policy(Strategy::kDirect, 1, 1));
  ASSERT_TRUE(sequencer.Add(Request(1, 1, "s"), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(1));
  ASSERT_TRUE(sequencer.Add(Request(2, 1), kStart + 900ms).ok());
  EXPECT_THAT(Execute(sequencer, 0, kStart + 1500ms), ElementsAre(2));
  EXPECT_TRUE(sequencer.Add(Request(3, 1), kStart + 2400ms).ok());
}

TEST(Sequencer, ADroppedRequestEndsItsSequence) {
  Sequencer sequencer(Policy(Strategy::kOldest, 1, 1));
  SequenceRequest hurried = Request(2, 1);
  hurried.deadline = kStart + 10ms;
  ASSERT_TRUE(sequencer.Add(Request(1, 1, "s"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(hurried, kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(3, 1), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(4, 1, "se"), kStart).ok());
  EXPECT_THAT(sequencer.Expire(kStart), IsEmpty());
  const auto drops = sequencer.Expire(kStart + 10ms);
  EXPECT_THAT(Ids(drops), ElementsAre(2, 3)) << "what begins anew stays";
  EXPECT_EQ(drops[0].cause, 0U);
  EXPECT_EQ(drops[1].cause, 2U);
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(1));
  EXPECT_THAT(sequencer.TakeEnded(), ElementsAre(1));
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(4));
}

TEST(Sequencer, ADropWhileAnEarlierRequestIsExecutedEndsItAfterThat) {
  Sequencer sequencer(Policy(Strategy::kOldest, 1, 1));
  ASSERT_TRUE(sequencer.Add(Request(1, 1, "s"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(2, 1), kStart).ok());
  EXPECT_THAT(Ids(sequencer.Take(0, kStart)), ElementsAre(1));
  EXPECT_THAT(Ids(sequencer.Remove(2)), ElementsAre(2));
  EXPECT_FALSE(sequencer.Add(Request(3, 1), kStart).ok());
  sequencer.Done(0, kStart);
  EXPECT_EQ(sequencer.sequences(), 0U);
  EXPECT_THAT(sequencer.Remove(2), IsEmpty());
}

TEST(Sequencer, AnInstanceThatForgotEndsItsSequences) {
  Sequencer sequencer(Policy(Strategy::kOldest, 1, 2));
  ASSERT_TRUE(sequencer.Add(Request(1, 1, "s"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(2, 2, "s"), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(1, 2));
  ASSERT_TRUE(sequencer.Add(Request(3, 1), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(4, 1, "s"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(5, 3, "s"), kStart).ok());
  EXPECT_THAT(Ids(sequencer.EndAll(0)), ElementsAre(3));
  EXPECT_FALSE(sequencer.Add(Request(6, 2), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(4, 5));
}

TEST(Sequencer, OnceClosedNobodyKeepsAPlaceForLater) {
  Sequencer sequencer(Policy(Strategy::kDirect, 1, 1));
  ASSERT_TRUE(sequencer.Add(Request(1, 1, "s"), kStart).ok());
  ASSERT_TRUE(sequencer.Add(Request(2, 2, "s"), kStart).ok());
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(1));
  sequencer.EndIdle();
  EXPECT_THAT(Execute(sequencer, 0), ElementsAre(2));
}

// Whatever comes in whatever order: each sequence's requests are executed in their order, in one place, one
// at a time; bounds hold; and all is answered in the end.
class Chaos {
 public:
  explicit Chaos(uint64_t seed) : rng_(seed) {
    policy_ = Policy(rng_.Below(2) == 0 ? Strategy::kDirect : Strategy::kOldest, 1 + rng_.Below(3),
                     1 + rng_.Below(4), 1 + rng_.Below(9));
    policy_.backlog_max = rng_.Below(5);
    sequencer_ = std::make_unique<Sequencer>(policy_);
    busy_.resize(policy_.instances);
  }

  void Run() {
    for (int step = 0; step < 600; ++step) {
      now_ += std::chrono::milliseconds(rng_.Below(60));
      const uint64_t action = rng_.Below(20);
      if (action < 9) Add();
      if (action >= 9 && action < 18) Step(rng_.Below(policy_.instances));
      if (action == 18) Drop(sequencer_->Expire(now_));
      if (action == 19 && !waiting_.empty()) Drop(sequencer_->Remove(waiting_.begin()->first));
      ASSERT_EQ(sequencer_->size(), waiting_.size());
      ASSERT_LE(sequencer_->sequences(),
                policy_.SlotsPerInstance() * policy_.instances + policy_.backlog_max);
    }
    sequencer_->EndIdle();
    for (int round = 0; round < 5000 && !waiting_.empty(); ++round) Step(rng_.Below(policy_.instances));
    EXPECT_TRUE(waiting_.empty());
  }

 private:
  void Add() {
    SequenceRequest request = Request(++ids_, 1 + rng_.Below(12), "", now_);
    request.mark.start = rng_.Below(3) == 0;
    request.mark.end = rng_.Below(4) == 0;
    if (rng_.Below(8) == 0) request.deadline = now_ + std::chrono::milliseconds(rng_.Below(300));
    if (sequencer_->Add(request, now_).ok()) waiting_[request.id] = request;
  }

  void Step(size_t instance) {
    if (busy_[instance].empty()) return Take(instance);
    sequencer_->Done(instance, now_);
    for (uint64_t id : busy_[instance]) under_way_.erase(id);
    busy_[instance].clear();
  }

  void Take(size_t instance) {
    const SequenceWork work = sequencer_->Take(instance, now_);
    ASSERT_LE(work.rows.size(), policy_.rows_max);
    for (size_t row = 0; row < work.rows.size(); ++row) {
      const SequenceRow& one = work.rows[row];
      if (one.request == 0) {
        ASSERT_EQ(policy_.strategy, Strategy::kDirect);
        continue;
      }
      const SequenceRequest request = waiting_.at(one.request);
      waiting_.erase(one.request);
      const uint64_t correlation = request.mark.id.number;
      ASSERT_TRUE(under_way_.insert(correlation).second) << "two of a sequence at a time";
      busy_[instance].push_back(correlation);
      ASSERT_GT(one.request, last_[correlation]) << "out of order";
      last_[correlation] = one.request;
      const auto place = std::pair(instance, policy_.strategy == Strategy::kDirect ? row : 0);
      const bool is_new = places_.emplace(one.sequence, place).second;
      ASSERT_EQ(is_new, request.mark.start) << "a number for each sequence";
      ASSERT_EQ(places_.at(one.sequence), place) << "a sequence has moved";
    }
  }

  void Drop(const std::vector<SequenceDrop>& drops) {
    for (const SequenceDrop& drop : drops) ASSERT_EQ(waiting_.erase(drop.request), 1U);
  }

  Rng rng_;
  SequencePolicy policy_;
  std::unique_ptr<Sequencer> sequencer_;
  TimePoint now_;
  uint64_t ids_ = 0;
  std::map<uint64_t, SequenceRequest> waiting_;
  std::map<uint64_t, uint64_t> last_;  // executed, by correlation id
  std::set<uint64_t> under_way_;
  std::map<uint64_t, std::pair<size_t, size_t>> places_;
  std::vector<std::vector<uint64_t>> busy_;
};

TEST(Sequencer, HoldsItsPromisesWhateverComes) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Chaos(seed).Run();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace snug::serving
