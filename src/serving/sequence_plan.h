// Pure: what model.yaml's `sequence` means for a loaded model, and the tensors of its executions: those that
// clients send, those that tell the model of the sequence, and the states kept between its requests.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "engine/engine.h"
#include "repository/model_config.h"
#include "serving/sequence.h"

namespace snug::serving {

// With `strategy: oldest`, where model.yaml does not say how many.
constexpr int kSequencesDefault = 128;

class SequencePlan {
 public:
  // INVALID_ARGUMENT: the model has no such tensors, or they do not suit. `config.on`.
  static Result<SequencePlan> Make(const repository::SequenceConfig& config, const engine::ModelInfo& info,
                                   const std::string& model, int instances);

  const SequencePolicy& policy() const { return policy_; }
  // The model as clients see it: without the tensors that the server provides or keeps.
  const engine::ModelInfo& visible() const { return visible_; }
  // The server keeps all that the model remembers, so that an execution may be tried again.
  bool keeps_states() const { return !states_.empty(); }
  // One line for people.
  std::string Note() const;

  // Whether the request's inputs, in the order of visible(), can be a row of a sequence's executions.
  Status CheckInputs(std::span<const Tensor> inputs, const CorrelationId& id) const;

  // A row that is executed; `inputs` null: nothing to do in its slot.
  struct Row {
    SequenceMark mark;
    const std::vector<Tensor>* inputs = nullptr;
    const std::vector<Tensor>* states = nullptr;  // in the plan's order; empty: zeros
  };
  // All inputs of the model, in its order. At least one row has inputs.
  Result<std::vector<Tensor>> Inputs(std::span<const Row> rows) const;

  // Which of the model's outputs to compute for those that clients want (flags as of Instance::Execute, over
  // visible().outputs).
  std::vector<uint8_t> Wanted(std::span<const uint8_t> visible) const;
  // Takes apart what the model gave for so many rows: `computed` says which outputs there are. INTERNAL when
  // an output has other rows.
  struct RowOutputs {
    std::vector<Tensor> outputs;  // those that `wanted` names of visible().outputs
    std::vector<Tensor> states;   // own memory
  };
  Result<RowOutputs> Outputs(const std::vector<Tensor>& outputs, std::span<const uint8_t> computed,
                             std::span<const uint8_t> wanted, size_t row, size_t rows) const;

 private:
  enum class Kind { kClient, kStart, kEnd, kReady, kCorrelationId, kState };
  struct Input {
    Kind kind = Kind::kClient;
    size_t index = 0;  // of visible().inputs, or of states_
    TensorSpec spec;
    double value_false = 0, value_true = 1;
  };
  struct State {
    size_t output = 0;  // the model's
    Shape shape;        // of one row
  };

  Status AddControl(const repository::SequenceControlConfig& config, Kind kind);
  Status AddState(const repository::SequenceStateConfig& config, const engine::ModelInfo& info);
  Result<Input*> FreeInput(const std::string& name);
  void MakeVisible(const engine::ModelInfo& info);
  Tensor ControlTensor(const Input& input, std::span<const Row> rows) const;
  Result<Tensor> StateTensor(const Input& input, std::span<const Row> rows) const;
  Result<Tensor> ClientTensor(const Input& input, std::span<const Row> rows) const;

  SequencePolicy policy_;
  bool batched_ = false;       // several rows along the first dimension; else each execution is one request
  std::vector<Input> inputs_;  // the model's, in its order
  std::vector<State> states_;
  std::vector<std::optional<size_t>> state_of_output_;  // by the model's output
  engine::ModelInfo visible_;
};

}  // namespace snug::serving
