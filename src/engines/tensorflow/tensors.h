// Tensors between Snug's layout and TensorFlow's.
#pragma once

#include <memory>

#include "engine.h"
#include "engines/tensorflow/library.h"

namespace snug::tensorflow {

// SNUG_BYTES for TF_STRING; 0 when Snug has no such type.
snug_dtype ToSnug(int tensorflow_dtype);
TF_DataType ToTensorFlow(snug_dtype dtype);

// Deletes strings' contents first.
struct TensorDeleter {
  const Api* api;
  void operator()(TF_Tensor* tensor) const;
};
using TensorPtr = std::unique_ptr<TF_Tensor, TensorDeleter>;

// Numbers are not copied (but by TensorFlow, where they are not aligned for it): `input` must outlive the
// result.
TensorPtr MakeInput(const Api& api, const snug_tensor& input);

// Copies a result to where the host wants output `index`. Throws kit::Failure(INTERNAL) when the host
// refuses.
void WriteOutput(const Api& api, TF_Tensor* result, uint32_t index, const snug_output_sink& sink);

}  // namespace snug::tensorflow
