// A loaded pipeline: its graph, where its steps' models are, and what is counted of each step.
//
// The models of the version's folder `steps` (a repository of its own) are loaded with the pipeline and
// unloaded with it; a step that names none of them gets a model of the same server. Either way each execution
// of a step goes through the queue of its model, so that those of different requests are batched together.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "engine/engine.h"
#include "repository/repository.h"
#include "serving/pipeline/graph.h"
#include "serving/request.h"

namespace snug::serving {

// What a pipeline is called where a model names its engine.
inline constexpr std::string_view kPipelineEngine = "pipeline";

class ModelManager;
struct LoadContext;

// Of one step; plain atomics.
struct StepStats {
  std::string step;
  LatencyHistogram latency;  // first execution begun to last one answered, of one request
  Counter items;             // executions
};

// What a request's executions inherit.
struct PipelineCall {
  TimePoint deadline = TimePoint::max();
  CancelFlag cancelled;
  int priority = 0;
};

// Thread-safe.
class Pipeline {
 public:
  // Loads the models in `steps` and checks the graph against all models. Blocks. INVALID_ARGUMENT: the graph;
  // UNAVAILABLE, NOT_FOUND: a step's model is not ready. Each names the step.
  static Result<std::unique_ptr<Pipeline>> Load(const LoadContext& context,
                                                const repository::ModelEntry& entry, int64_t version);
  ~Pipeline();  // unloads its own models

  // Blocks until the answer is there. The deadline and the flag hold for each step, so an expired or
  // cancelled request leaves the queue that it stands in. `wanted`: as of engine::Instance::Execute.
  Result<std::vector<Tensor>> Execute(const std::vector<Tensor>& inputs, std::span<const uint8_t> wanted,
                                      const PipelineCall& call);

  // What a Servable shows of it. `count` instances are requests that are executed at the same time.
  engine::ModelInfo Info() const;
  std::vector<std::unique_ptr<engine::Instance>> MakeInstances(int count) const;
  // That the pipeline's own models may keep busy.
  int threads() const;
  const PipelineGraph& graph() const { return graph_; }
  const std::vector<std::unique_ptr<StepStats>>& stats() const { return stats_; }
  // Of the folder `steps`; null without one.
  const ModelManager* own_models() const { return own_.get(); }

 private:
  class Runner;

  explicit Pipeline(const Clock& clock);
  Status LoadOwn(const LoadContext& context, const repository::ModelEntry& entry,
                 const std::string& directory);
  Status Plan(const repository::PipelineConfig& config);

  const Clock& clock_;
  std::unique_ptr<ModelManager> own_;
  PipelineGraph graph_;
  std::vector<ModelManager*> managers_;  // of each step
  std::vector<std::unique_ptr<StepStats>> stats_;
};

// The models that the pipeline's steps name and that its version's folder `steps` does not hold: those of the
// same server.
std::vector<std::string> ModelsBeside(const repository::PipelineConfig& pipeline,
                                      const std::string& version_directory);

}  // namespace snug::serving
