// What the plug-in makes of a plan: specs, checks, one execution. Knows TensorRT by plan.h only.
#pragma once

#include "engines/kit/kit.h"
#include "engines/tensorrt/plan.h"

namespace snug::trt {

// Inputs and outputs as the host counts them, and which tensors of the plan they are.
struct Border {
  explicit Border(const Plan& plan);

  kit::SpecList inputs, outputs;
  std::vector<size_t> input_tensors, output_tensors;
};

// Throws Failure(INVALID_ARGUMENT), naming input, dimension and bounds, for a shape outside the plan's
// profile.
void CheckShape(const IoTensor& tensor, std::span<const int64_t> dims);

// Executes and hands the wanted outputs to the host.
void Execute(const Plan& plan, const Border& border, Context& context, const snug_tensor* inputs,
             const uint8_t* wanted, const snug_output_sink& sink);

}  // namespace snug::trt
