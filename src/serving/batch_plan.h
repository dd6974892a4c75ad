// Whether and how a model's requests are batched: its model.yaml, and what an instance shows when it is
// measured.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"
#include "repository/repository.h"
#include "serving/batcher.h"
#include "serving/padding.h"

namespace snug::serving {

// Less than this factor in rows per second is no reason to batch: joining costs something too.
constexpr double kBatchGainMin = 1.15;
// With less than this the first size tried is the last one.
constexpr double kBatchGainHopeless = 1.05;
// Measuring ends with the execution during which this is over.
constexpr std::chrono::milliseconds kMeasureMax{150};
// Rows tried where model.yaml names none.
constexpr int64_t kRowsTried[] = {2, 4, 8, 16};
// With `batching: on` where nothing could be measured.
constexpr int64_t kRowsUnmeasured = 8;

struct BatchMeasure {
  int64_t rows = 0;       // of the fastest batch per row; 0: nothing could be measured
  double gain = 1;        // rows per second of that batch over single rows
  Duration saving{0};     // by one request that joins instead of being executed alone
  bool too_slow = false;  // for measuring to be worth the time of loading
  std::string problem;  // why batches must not be formed: failed, or a row's answer depends on its neighbours
};

// Executes random rows alone and together. `info.batch_is_free`. Blocks the calling thread for about
// kMeasureMax, or two executions where these take longer.
BatchMeasure MeasureBatching(engine::Instance& instance, const engine::ModelInfo& info,
                             std::span<const int64_t> rows_tried, const Clock& clock);

// What is left to be looked at where the gain is known of a like network: `known`, with the problem that this
// one has with so many rows, if any. Executes nothing where batches are not going to be formed anyway.
BatchMeasure CheckMeasure(engine::Instance& instance, const engine::ModelInfo& info,
                          const repository::BatchingConfig& config, BatchMeasure known, const Clock& clock);

struct BatchPlan {
  bool queue = false;  // whether BatchQueue is needed at all
  BatchPolicy policy;
  size_t default_level = 0;
  Padding padding;
  std::string note;  // for the version's status; empty: nothing to tell
};

// Pure. `measure` is null where it was not measured.
BatchPlan PlanBatching(const repository::BatchingConfig& config, const engine::ModelInfo& info,
                       const BatchMeasure* measure, Padding padding = Padding());
// Rows worth measuring for the config; empty: none.
std::vector<int64_t> RowsToTry(const repository::BatchingConfig& config, const engine::ModelInfo& info);

}  // namespace snug::serving
