// Triton's model configuration: what clients are told of a model, and what a load call may change by it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "repository/repository.h"
#include "serving/model_manager.h"

namespace snug::server {

// Of a READY version, in the form that both protocols write down. Pure.
struct TritonConfig {
  // Rows of the first dimension that a client may count on (larger requests are taken too); 0: the first
  // dimension is no batch.
  int64_t max_batch_size = 0;
  std::vector<TensorSpec> inputs, outputs;  // shapes without the batch dimension
  bool dynamic_batching = false;            // requests are joined
  std::vector<int64_t> preferred_batch_sizes;
  std::vector<std::pair<std::string, std::string>> parameters;  // what is Snug's own
};
TritonConfig TritonConfigOf(const serving::ModelDescription& model);

// Changes `config` as the JSON of a ModelConfig message says: backend or platform, max_batch_size,
// instance_group's count, dynamic_batching, version_policy. What the files of the model say already (inputs,
// outputs) and what has no like in Snug is accepted without an effect; what would change answers (an
// ensemble, sequences, a GPU) and unknown fields are INVALID_ARGUMENT.
Status ApplyTritonConfig(std::string_view json, std::string_view model, repository::ModelConfig& config);

}  // namespace snug::server
