// Tensors between Snug and ONNX Runtime.
#pragma once

#include <string>
#include <vector>

#include "engine.h"
#include "engines/kit/kit.h"
#include "engines/onnxruntime/api.h"

namespace snug::ort {

// Throws kit::Failure(UNIMPLEMENTED) for types that the other side has not.
ONNXTensorElementDataType ToOnnx(snug_dtype dtype);
snug_dtype ToSnug(ONNXTensorElementDataType type);

// A tensor over `data`, which stays the caller's.
Owned<OrtValue> Wrap(const OrtMemoryInfo& cpu, ONNXTensorElementDataType type, const int64_t* dims,
                     int32_t rank, void* data, uint64_t bytes);
// The model's input: a view of the tensor's memory; texts are copied.
Owned<OrtValue> InputOf(const OrtMemoryInfo& cpu, const snug_tensor& tensor);
// Copies a result to where the host wants it.
void CopyOutput(const OrtValue& value, uint32_t index, const snug_output_sink* sink);

// A session's inputs or outputs. Throws kit::Failure(UNIMPLEMENTED) for what is no tensor.
void ReadSpecs(const OrtSession& session, bool inputs, kit::SpecList& specs);

}  // namespace snug::ort
