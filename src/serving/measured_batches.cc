#include "serving/measured_batches.h"

#include <sys/stat.h>

#include "os/files.h"
#include "serving/checks.h"

namespace snug::serving {
namespace {

void AddSpecs(const std::vector<TensorSpec>& specs, std::string& text) {
  text += SpecsText(specs);
  text += '\n';
}

}  // namespace

Result<std::string> LikenessOf(const repository::ModelConfig& config, const engine::ModelInfo& info,
                               const std::string& directory) {
  const repository::BatchingConfig& batching = config.batching;
  std::string text = fmt::format("{} {} {} {} {} {} {} {}\n", config.engine, config.engine_options_json,
                                 config.isolation, config.threads, config.instances, info.description,
                                 batching.rows_max, fmt::join(batching.sizes, ","));
  AddSpecs(info.inputs, text);
  AddSpecs(info.outputs, text);
  SNUG_ASSIGN_OR_RETURN(const std::vector<std::string> names, os::ListDir(directory));
  for (const std::string& name : names) {
    struct stat file {};
    if (stat((directory + "/" + name).c_str(), &file) == 0)
      text += fmt::format("{} {}\n", name, file.st_size);
  }
  return text;
}

std::optional<BatchMeasure> MeasuredBatches::Find(const std::string& likeness) const {
  std::lock_guard lock(mutex_);
  auto found = measures_.find(likeness);
  return found == measures_.end() ? std::nullopt : std::optional(found->second);
}

void MeasuredBatches::Keep(const std::string& likeness, const BatchMeasure& measure) {
  std::lock_guard lock(mutex_);
  if (measures_.size() < kMeasuredMax) measures_[likeness] = measure;
}

}  // namespace snug::serving
