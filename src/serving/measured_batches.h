// What batches gained, by what models look like: many models are the same network with other weights, and
// need not all be measured.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/status.h"
#include "engine/engine.h"
#include "repository/model_config.h"
#include "serving/batch_plan.h"

namespace snug::serving {

// Of networks; more are measured each time.
constexpr size_t kMeasuredMax = 256;

// Equal texts: the same engine with the same options, the same tensors, and files of the same names and
// sizes, which is what other weights for the same network come to. Reads the directory. An error: it cannot
// be read.
Result<std::string> LikenessOf(const repository::ModelConfig& config, const engine::ModelInfo& info,
                               const std::string& directory);

// Thread-safe.
class MeasuredBatches {
 public:
  std::optional<BatchMeasure> Find(const std::string& likeness) const;
  void Keep(const std::string& likeness, const BatchMeasure& measure);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, BatchMeasure> measures_;
};

}  // namespace snug::serving
