// A pipeline's steps and what flows between them, checked against the steps' models. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "repository/model_config.h"

namespace snug::serving {

// What a step's model takes and gives.
struct StepTensors {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};

struct PipelineGraph {
  static constexpr size_t kNoStep = static_cast<size_t>(-1);

  // A tensor on its way: brought by the request or made by a step.
  struct Value {
    TensorSpec spec;        // of the whole; named as in model.yaml
    size_t step = kNoStep;  // that makes it; kNoStep: the request brings it
    bool is_used = false;   // by a step or as an output
  };
  struct Input {
    std::string tensor;  // of the step's model
    size_t value = 0;
    bool each = false;  // the model gets one row of it at a time
  };
  struct Output {
    std::string tensor;
    size_t value = 0;
  };
  struct Step {
    std::string name, model, version;
    std::vector<Input> inputs;
    std::vector<Output> outputs;
    size_t items_max = 0;
    bool each = false;  // executed once for each row of some inputs
  };

  std::vector<Value> values;  // those that the request brings come first, in the order of model.yaml
  std::vector<Step> steps;    // in the order of model.yaml
  std::vector<size_t> outputs;

  // What the pipeline takes and gives as a model.
  std::vector<TensorSpec> InputSpecs() const;
  std::vector<TensorSpec> OutputSpecs() const;
};

// `models[i]`: of config.steps[i]. INVALID_ARGUMENT naming the step: an unknown tensor or value, one that is
// made twice or not used, steps in a circle, datatypes or shapes that do not fit each other.
Result<PipelineGraph> PlanPipeline(const repository::PipelineConfig& config,
                                   const std::vector<StepTensors>& models);

}  // namespace snug::serving
