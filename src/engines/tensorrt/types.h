// TensorRT's element types and shapes, and ours.
#pragma once

#include <NvInferRuntime.h>

#include <string>

#include "engines/tensorrt/plan.h"

namespace snug::trt {

// Throws Failure(UNIMPLEMENTED), naming the tensor, for those that no client can send (FP8, INT4, …).
snug_dtype ToSnug(nvinfer1::DataType type, const std::string& tensor);

// Free dimensions are -1. Throws Failure(INVALID_ARGUMENT) where the number of dimensions is out of range.
Dims ToSnug(const nvinfer1::Dims& dims, const std::string& tensor);
nvinfer1::Dims ToNv(std::span<const int64_t> dims, const std::string& tensor);

}  // namespace snug::trt
