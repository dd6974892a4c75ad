#include "serving/batch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "serving/testing/fakes.h"

namespace snug::serving {
namespace {

using namespace std::chrono_literals;
using repository::BatchingConfig;
using testing::ElementsAre;
using testing::HasSubstr;

// Takes so long by a clock of its own: for each execution, and for each row.
class TimedInstance : public engine::Instance {
 public:
  TimedInstance(ManualClock& clock, Duration each, Duration row, bool mixes_rows = false)
      : clock_(clock), each_(each), row_(row), mixes_rows_(mixes_rows) {}
  Result<std::vector<Tensor>> Execute(std::span<const TensorView> inputs, std::span<const uint8_t>) override {
    const int64_t rows = inputs[0].shape[0];
    clock_.Advance(each_ + row_ * rows);
    Buffer copy = Buffer::Allocate(inputs[0].bytes);
    std::memcpy(copy.data(), inputs[0].data, inputs[0].bytes);
    if (mixes_rows_) static_cast<float*>(copy.data())[0] += static_cast<float>(rows);
    std::vector<Tensor> outputs{{"y", inputs[0].dtype, inputs[0].shape, std::move(copy)}};
    return outputs;
  }

 private:
  ManualClock& clock_;
  const Duration each_, row_;
  const bool mixes_rows_;
};

BatchMeasure Measure(Duration each, Duration row, bool mixes_rows = false) {
  ManualClock clock;
  TimedInstance instance(clock, each, row, mixes_rows);
  return MeasureBatching(instance, FakeInfo(), kRowsTried, clock);
}

TEST(BatchPlan, MeasuresWhatJoiningSaves) {
  BatchMeasure measure = Measure(900us, 100us);
  EXPECT_EQ(measure.rows, 16);
  EXPECT_NEAR(measure.gain, 6.4, 0.01);
  EXPECT_EQ(measure.saving, 900us);
  EXPECT_EQ(measure.problem, "");
}

TEST(BatchPlan, AutoIsOnOnlyWhereItPays) {
  BatchMeasure pays = Measure(900us, 100us), pays_not = Measure(10us, 990us);
  BatchPlan on = PlanBatching({}, FakeInfo(), &pays);
  EXPECT_TRUE(on.queue);
  EXPECT_EQ(on.policy.rows_max, 16);
  EXPECT_EQ(on.policy.delay_max, 0us);
  EXPECT_THAT(on.note, HasSubstr("batches of up to 16 rows; 16 at a time gain 6.40x"));
  BatchPlan off = PlanBatching({}, FakeInfo(), &pays_not);
  EXPECT_FALSE(off.queue);
  EXPECT_THAT(off.note, HasSubstr("batching is off: "));
  EXPECT_FALSE(PlanBatching({}, FakeInfo(), nullptr).queue) << "not measured";
}

TEST(BatchPlan, ARowMustNotDependOnItsNeighbours) {
  BatchMeasure measure = Measure(900us, 100us, true);
  EXPECT_THAT(measure.problem, HasSubstr("output \"y\" of a row depends on the rows beside it"));
  BatchingConfig config;
  config.mode = BatchingConfig::Mode::kOn;
  EXPECT_FALSE(PlanBatching(config, FakeInfo(), &measure).queue);
}

TEST(BatchPlan, ASlowModelIsMeasuredBriefly) {
  ManualClock clock;
  TimedInstance instance(clock, 0s, 1s);
  const TimePoint begun = clock.Now();
  BatchMeasure measure = MeasureBatching(instance, FakeInfo(), kRowsTried, clock);
  EXPECT_EQ(clock.Now() - begun, 2s);
  EXPECT_THAT(PlanBatching({}, FakeInfo(), &measure).note, HasSubstr("takes too long"));
}

TEST(BatchPlan, ARowOfOneThreadThatGainsNothingByTwoIsNotTriedWithMore) {
  ManualClock clock;
  TimedInstance instance(clock, 0us, 10ms);
  BatchMeasure measure = MeasureBatching(instance, FakeInfo(), kRowsTried, clock);
  EXPECT_EQ(measure.rows, 2);
  EXPECT_LT(clock.Now() - TimePoint(), 150ms);
}

TEST(BatchPlan, WhatIsKnownOfALikeModelIsCheckedAndNotMeasured) {
  ManualClock clock;
  TimedInstance mixes(clock, 900us, 100us, true), instance(clock, 900us, 100us);
  const BatchMeasure known{16, 6.4};
  EXPECT_EQ(CheckMeasure(instance, FakeInfo(), {}, known, clock).problem, "");
  EXPECT_THAT(CheckMeasure(mixes, FakeInfo(), {}, known, clock).problem, HasSubstr("depends on the rows"));
  const TimePoint before = clock.Now();
  EXPECT_EQ(CheckMeasure(mixes, FakeInfo(), {}, {16, 1.01}, clock).problem, "");
  EXPECT_EQ(clock.Now(), before) << "nothing is executed where batches are not formed";
}

TEST(BatchPlan, FollowsTheConfig) {
  BatchingConfig config;
  config.mode = BatchingConfig::Mode::kOn;
  EXPECT_EQ(PlanBatching(config, FakeInfo(), nullptr).policy.rows_max, kRowsUnmeasured);
  config.rows_max = 5;
  EXPECT_EQ(PlanBatching(config, FakeInfo(), nullptr).policy.rows_max, 5);
  EXPECT_THAT(RowsToTry(config, FakeInfo()), ElementsAre(2, 4, 5));
  config.sizes = {1, 4};
  EXPECT_EQ(PlanBatching(config, FakeInfo(), nullptr).policy.rows_max, 4);
  engine::ModelInfo fixed = FakeInfo();
  fixed.batch_is_free = false;
  BatchPlan plan = PlanBatching(config, fixed, nullptr);
  EXPECT_FALSE(plan.queue);
  EXPECT_THAT(plan.note, HasSubstr("not all free"));
}

TEST(BatchPlan, PaddingNeedsTheQueueAndIsTold) {
  engine::ModelInfo info = FakeInfo();
  info.inputs[0].shape = {-1, -1};
  BatchingConfig config;
  config.padding = {{{8, 16}, {{"x", 1, 0}}, {}}};
  BatchPlan plan = PlanBatching(config, info, nullptr, *Padding::Make(config.padding, info));
  EXPECT_TRUE(plan.queue);
  EXPECT_EQ(plan.policy.rows_max, 1);
  EXPECT_EQ(plan.note, "padded to 8, 16");
  config.mode = BatchingConfig::Mode::kOn;
  EXPECT_EQ(PlanBatching(config, info, nullptr, Padding()).note, "batches of up to 8 rows; padded to 8, 16");
}

TEST(BatchPlan, PrioritiesDoNotNeedBatches) {
  BatchingConfig config;
  config.mode = BatchingConfig::Mode::kOff;
  config.priorities = {{0, 0, false}, {7, 20, true}};
  config.default_priority = 2;
  BatchPlan plan = PlanBatching(config, FakeInfo(), nullptr);
  EXPECT_TRUE(plan.queue);
  EXPECT_EQ(plan.policy.rows_max, 1);
  EXPECT_EQ(plan.default_level, 1U);
  ASSERT_EQ(plan.policy.levels.size(), 2U);
  EXPECT_EQ(plan.policy.levels[1].queue_max, 7U);
  EXPECT_EQ(plan.policy.levels[1].timeout, 20ms);
  EXPECT_EQ(plan.policy.levels[1].on_timeout, OnTimeout::kDelay);
}

}  // namespace
}  // namespace snug::serving
