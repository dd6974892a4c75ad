// From a model's directory to a warm Servable. Blocks; runs on a background thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "engine/engine.h"
#include "parsers/parser_host.h"
#include "repository/repository.h"
#include "serving/measured_batches.h"
#include "serving/servable.h"
#include "serving/warmup.h"

namespace snug::serving {

class ModelManager;

struct LoadContext {
  engine::EngineHost& engines;
  parsers::ParserHost& parsers;
  std::string cache_dir;
  const Clock& clock;
  std::function<void(TimePoint)> on_wait;  // see Servable::Parts
  SlowRequests* slow = nullptr;            // see Servable::Parts
  WarmupReader read_warmup;                // null: none
  bool measure_batching = true;            // false: `batching: auto` means off
  MeasuredBatches* measured = nullptr;     // what was measured of other models; null: nothing is known
  size_t load_threads = 1;                 // of a pipeline's own models
  ComputeGate* gate = nullptr;             // where executions wait for their turn; null: nowhere
  ModelManager* models = nullptr;          // where a pipeline finds models beside it; null: nowhere
};

// Loads the version with its engine and parser, creates its instances and warms each up. The error says which
// of these steps failed. `note` gets what is worth knowing of a success.
Result<std::shared_ptr<Servable>> LoadServable(const LoadContext& context,
                                               const repository::ModelEntry& entry, int64_t version,
                                               std::shared_ptr<VersionStats> stats, std::string& note);

}  // namespace snug::serving
