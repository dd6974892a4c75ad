// Pure checks of a request against a model's declaration.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::serving {

// Puts `inputs` into the order of `specs` and checks each: unknown, missing and duplicate names, dtype,
// shape, byte count. INVALID_ARGUMENT with what the model expects.
Status ArrangeInputs(std::span<const TensorSpec> specs, std::vector<Tensor>& inputs);

// Which outputs to compute: one flag per spec, or empty for all (when `names` is empty). INVALID_ARGUMENT for
// an unknown or repeated name.
Result<std::vector<uint8_t>> WantedOutputs(std::span<const TensorSpec> specs,
                                           std::span<const std::string> names);

// Puts `outputs` into the order in which `names` asked for them; as they are when `names` is empty.
void ArrangeOutputs(std::span<const std::string> names, std::vector<Tensor>& outputs);

// "INPUT0 FP32 [-1,16], INPUT1 INT64 [-1]", for texts.
std::string SpecsText(std::span<const TensorSpec> specs);

// Zeros for a warm-up: free first dimensions become 1, other free dimensions `free_dim`; BYTES elements are
// empty. RESOURCE_EXHAUSTED when an input would take more than kWarmupBytesMax.
constexpr uint64_t kWarmupBytesMax = uint64_t{256} << 20;
Result<std::vector<Tensor>> ZeroInputs(std::span<const TensorSpec> specs, int64_t free_dim);
// Whether ZeroInputs has to guess: a free dimension other than the first of a tensor.
bool HasGuessedDims(std::span<const TensorSpec> specs);

}  // namespace snug::serving
