// The host's tensors and LibTorch's.
#pragma once

#include <ATen/ATen.h>

#include "engine.h"

namespace snug::torch_engine {

// Throw kit::Failure(UNIMPLEMENTED) for a type that the other side has not.
at::ScalarType ToTorch(snug_dtype dtype);
snug_dtype ToSnug(at::ScalarType type);

// Not a copy: the host's memory.
at::Tensor ViewOf(const snug_tensor& tensor);

// Hands output `index` to the host. Throws kit::Failure(INTERNAL) when it gives no memory.
void WriteOutput(const at::Tensor& value, uint32_t index, const snug_output_sink& sink);

}  // namespace snug::torch_engine
