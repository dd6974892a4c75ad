#include "serving/batch_plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "serving/batch_tensors.h"
#include "serving/checks.h"

namespace snug::serving {
namespace {

using Mode = repository::BatchingConfig::Mode;

// As the warm-up tries them.
constexpr int64_t kFreeDims[] = {32, 1, 224, 512};
constexpr int kRepeats = 3;
// Batches may round otherwise than single rows (other kernels), but not differ.
constexpr float kToleranceRelative = 0.02F;
constexpr float kToleranceAbsolute = 0.002F;

// Numbers from 0 to 1, so that whole ones suit an index as well.
void Randomise(Tensor& tensor, uint64_t seed) {
  uint64_t state = seed * 2654435761u + 1;
  auto next = [&state] {
    return static_cast<uint32_t>((state = state * 6364136223846793005u + 1442695040888963407u) >> 33);
  };
  if (tensor.dtype == DType::kFp32) {
    auto* values = static_cast<float*>(tensor.buffer.data());
    for (size_t i = 0; i < tensor.buffer.size() / sizeof(float); ++i) {
      values[i] = static_cast<float>(next() % 1024) / 1024.0F;
    }
  }
}

Result<std::vector<Tensor>> Execute(engine::Instance& instance, const std::vector<Tensor>& inputs) {
  std::vector<TensorView> views;
  views.reserve(inputs.size());
  for (const Tensor& input : inputs) views.push_back(input.View());
  return instance.Execute(views, {});
}

Result<std::vector<Tensor>> RandomRow(std::span<const TensorSpec> specs, int64_t free_dim, uint64_t seed) {
  SNUG_ASSIGN_OR_RETURN(std::vector<Tensor> row, ZeroInputs(specs, free_dim));
  for (size_t i = 0; i < row.size(); ++i) Randomise(row[i], seed + i);
  return row;
}

Result<std::vector<Tensor>> Joined(std::span<const TensorSpec> specs, int64_t free_dim, int64_t rows) {
  std::vector<std::vector<Tensor>> by_input(specs.size());
  for (int64_t row = 0; row < rows; ++row) {
    SNUG_ASSIGN_OR_RETURN(auto inputs,
                          RandomRow(specs, free_dim, 1 + static_cast<uint64_t>(row) * specs.size()));
    for (size_t i = 0; i < inputs.size(); ++i) by_input[i].push_back(std::move(inputs[i]));
  }
  std::vector<Tensor> joined;
  for (const auto& parts : by_input) {
    SNUG_ASSIGN_OR_RETURN(joined.emplace_back(), JoinRows(parts, rows));
  }
  return joined;
}

bool Near(const Tensor& a, const Tensor& b) {
  if (a.dtype != DType::kFp32 || a.buffer.size() != b.buffer.size()) return a.dtype == b.dtype;
  const auto* x = static_cast<const float*>(a.buffer.data());
  const auto* y = static_cast<const float*>(b.buffer.data());
  for (size_t i = 0; i < a.buffer.size() / sizeof(float); ++i) {
    const bool near = std::abs(x[i] - y[i]) <= kToleranceAbsolute + kToleranceRelative * std::abs(x[i]);
    if (!near && !(std::isnan(x[i]) && std::isnan(y[i]))) return false;
  }
  return true;
}

// Whether the first row's answer is the same in company.
std::string CheckFirstRow(const std::vector<Tensor>& alone, const std::vector<Tensor>& batch, int64_t rows) {
  for (size_t i = 0; i < batch.size() && i < alone.size(); ++i) {
    if (batch[i].shape.empty() || batch[i].shape[0] != rows) {
      return fmt::format("output \"{}\" of {} rows has the shape {}", batch[i].name, rows,
                         ShapeText(batch[i].shape));
    }
    if (!Near(alone[i], SliceRows(batch[i], 0, 1))) {
      return fmt::format("output \"{}\" of a row depends on the rows beside it", batch[i].name);
    }
  }
  return "";
}

class Measuring {
 public:
  Measuring(engine::Instance& instance, const engine::ModelInfo& info, const Clock& clock)
      : instance_(instance), info_(info), clock_(clock) {}

  BatchMeasure Run(std::span<const int64_t> rows_tried) {
    BatchMeasure best;
    if (!FindSingle()) return best;
    if (Time(single_) > kMeasureMax / 4) {
      best.too_slow = true;
      return best;
    }
    begun_ = clock_.Now();  // what compiled for the first row does not count
    for (int64_t rows : rows_tried) {
      if (rows < 2 || clock_.Now() - begun_ > kMeasureMax) continue;
      best.problem = Try(rows, best);
      if (!best.problem.empty()) break;
      // One thread that gains nothing by two rows gains nothing by more.
      if (info_.threads_per_instance == 1 && best.gain < kBatchGainHopeless) break;
    }
    return best;
  }

  // Why batches of so many rows must not be formed; empty: nothing speaks against it.
  std::string Check(int64_t rows) {
    if (!FindSingle()) return "";
    auto inputs = Joined(info_.inputs, free_dim_, rows);
    if (!inputs.ok()) return "";
    auto outputs = Execute(instance_, *inputs);
    if (!outputs.ok()) return fmt::format("{} rows gave {}", rows, outputs.status().ToString());
    return CheckFirstRow(alone_, *outputs, rows);
  }

 private:
  bool FindSingle() {
    for (int64_t free_dim : kFreeDims) {
      auto row = RandomRow(info_.inputs, free_dim, 1);
      if (!row.ok()) continue;
      auto outputs = Execute(instance_, *row);
      if (!outputs.ok()) continue;
      single_ = *std::move(row);
      alone_ = *std::move(outputs);
      free_dim_ = free_dim;
      return true;
    }
    return false;
  }

  Duration Time(const std::vector<Tensor>& inputs) {
    const TimePoint begun = clock_.Now();
    auto outputs = Execute(instance_, inputs);
    return outputs.ok() ? clock_.Now() - begun : Duration::max();
  }

  // Alternately, so that a change of the machine's load hits both.
  std::string Try(int64_t rows, BatchMeasure& best) {
    auto inputs = Joined(info_.inputs, free_dim_, rows);
    if (!inputs.ok()) return "";                 // larger than the bound on what is made up for measuring
    auto outputs = Execute(instance_, *inputs);  // compiles for this size, maybe
    if (!outputs.ok()) return fmt::format("{} rows gave {}", rows, outputs.status().ToString());
    std::string problem = CheckFirstRow(alone_, *outputs, rows);
    if (!problem.empty()) return problem;
    Duration one = Duration::max(), many = Duration::max();
    for (int i = 0; i < kRepeats && (i == 0 || clock_.Now() - begun_ < kMeasureMax); ++i) {
      one = std::min(one, Time(single_));
      many = std::min(many, Time(*inputs));
    }
    if (one <= Duration::zero() || many <= Duration::zero() || many == Duration::max()) return "";
    const double gain = static_cast<double>(one.count() * rows) / static_cast<double>(many.count());
    if (best.rows != 0 && gain <= best.gain) return "";
    best.rows = rows;
    best.gain = gain;
    best.saving = std::max((one * rows - many) / (rows - 1), Duration::zero());
    return "";
  }

  engine::Instance& instance_;
  const engine::ModelInfo& info_;
  const Clock& clock_;
  TimePoint begun_;
  std::vector<Tensor> single_, alone_;
  int64_t free_dim_ = 1;
};

LevelPolicy LevelOf(const repository::PriorityConfig& config) {
  LevelPolicy level;
  if (config.queue_limit > 0) level.queue_max = static_cast<size_t>(config.queue_limit);
  level.timeout = std::chrono::milliseconds(config.timeout_ms);
  level.on_timeout = config.delay_on_timeout ? OnTimeout::kDelay : OnTimeout::kReject;
  return level;
}

// Rows at a time; 1: none are joined.
int64_t RowsFor(const repository::BatchingConfig& config, const engine::ModelInfo& info,
                const BatchMeasure* measure, std::string& note) {
  const bool on = config.mode == Mode::kOn;
  if (config.mode == Mode::kOff) return 1;
  if (!info.batch_is_free) {
    if (on) note = "batching is off: the model's first dimensions are not all free";
    return 1;
  }
  if (measure != nullptr && !measure->problem.empty()) {
    note = "batching is off: " + measure->problem;
    return 1;
  }
  const bool measured = measure != nullptr && measure->rows > 0;
  if (!on && (!measured || measure->gain < kBatchGainMin)) {
    if (measure != nullptr && measure->too_slow)
      note = "batching is off: a row takes too long to measure what batches gain; `batching: on` sets it";
    if (measured)
      note = fmt::format("batching is off: {} rows at a time gain {:.2f}x", measure->rows, measure->gain);
    return 1;
  }
  int64_t rows = measured ? measure->rows : kRowsUnmeasured;
  if (config.rows_max > 0) rows = config.rows_max;
  if (!config.sizes.empty()) rows = config.sizes.back();
  note = measured ? fmt::format("batches of up to {} rows; {} at a time gain {:.2f}x", rows, measure->rows,
                                measure->gain)
                  : fmt::format("batches of up to {} rows", rows);
  return rows;
}

}  // namespace

BatchMeasure MeasureBatching(engine::Instance& instance, const engine::ModelInfo& info,
                             std::span<const int64_t> rows_tried, const Clock& clock) {
  return Measuring(instance, info, clock).Run(rows_tried);
}

BatchMeasure CheckMeasure(engine::Instance& instance, const engine::ModelInfo& info,
                          const repository::BatchingConfig& config, BatchMeasure known, const Clock& clock) {
  const bool pays = config.mode == Mode::kOn || known.gain >= kBatchGainMin;
  if (pays && known.rows > 1 && known.problem.empty())
    known.problem = Measuring(instance, info, clock).Check(known.rows);
  return known;
}

std::vector<int64_t> RowsToTry(const repository::BatchingConfig& config, const engine::ModelInfo& info) {
  if (!info.batch_is_free || config.mode == Mode::kOff) return {};
  if (!config.sizes.empty()) return config.sizes;
  std::vector<int64_t> rows;
  for (int64_t tried : kRowsTried) {
    if (config.rows_max == 0 || tried < config.rows_max) rows.push_back(tried);
  }
  if (config.rows_max > 1) rows.push_back(config.rows_max);
  return rows;
}

BatchPlan PlanBatching(const repository::BatchingConfig& config, const engine::ModelInfo& info,
                       const BatchMeasure* measure, Padding padding) {
  BatchPlan plan;
  plan.policy.rows_max = RowsFor(config, info, measure, plan.note);
  plan.padding = std::move(padding);
  for (const auto& length : config.padding) {
    plan.note +=
        fmt::format("{}padded to {}", plan.note.empty() ? "" : "; ", fmt::join(length.buckets, ", "));
  }
  if (plan.policy.rows_max > 1) {
    plan.policy.sizes = config.sizes;
    plan.policy.delay_max = std::chrono::microseconds(config.delay_us_max);
    plan.policy.saving = measure != nullptr ? measure->saving : Duration::zero();
  }
  if (!config.priorities.empty()) plan.policy.levels.clear();
  for (const auto& priority : config.priorities) plan.policy.levels.push_back(LevelOf(priority));
  plan.default_level = static_cast<size_t>(config.default_priority - 1);
  plan.queue = plan.policy.rows_max > 1 || !config.priorities.empty() || !plan.padding.empty();
  return plan;
}

}  // namespace snug::serving
