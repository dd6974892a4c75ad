#include "engines/tensorrt/types.h"

#include <algorithm>

#include "engines/kit/kit.h"

namespace snug::trt {

using kit::Failure;

snug_dtype ToSnug(nvinfer1::DataType type, const std::string& tensor) {
  using nvinfer1::DataType;
  switch (type) {
    case DataType::kFLOAT:
      return SNUG_FP32;
    case DataType::kHALF:
      return SNUG_FP16;
    case DataType::kBF16:
      return SNUG_BF16;
    case DataType::kINT8:
      return SNUG_INT8;
    case DataType::kINT32:
      return SNUG_INT32;
    case DataType::kINT64:
      return SNUG_INT64;
    case DataType::kBOOL:
      return SNUG_BOOL;
    case DataType::kUINT8:
      return SNUG_UINT8;
    default:
      throw Failure(
          SNUG_UNIMPLEMENTED,
          "tensor \"" + tensor + "\" has TensorRT's element type " +
              std::to_string(static_cast<int32_t>(type)) +
              ", which no client can send; build the plan with FP32, FP16, BF16, BOOL or integers of 8, 32 "
              "or 64 bits at its border");
  }
}

Dims ToSnug(const nvinfer1::Dims& dims, const std::string& tensor) {
  if (dims.nbDims < 0 || dims.nbDims > nvinfer1::Dims::MAX_DIMS)
    throw Failure(SNUG_INVALID_ARGUMENT, "tensor \"" + tensor + "\": TensorRT does not know its shape");
  Dims out(dims.d, dims.d + dims.nbDims);
  for (int64_t& dim : out) dim = std::max<int64_t>(dim, -1);
  return out;
}

nvinfer1::Dims ToNv(std::span<const int64_t> dims, const std::string& tensor) {
  nvinfer1::Dims out{};
  if (dims.size() > static_cast<size_t>(nvinfer1::Dims::MAX_DIMS))
    throw Failure(SNUG_INVALID_ARGUMENT, "tensor \"" + tensor + "\" has " + std::to_string(dims.size()) +
                                             " dimensions; TensorRT takes " +
                                             std::to_string(nvinfer1::Dims::MAX_DIMS));
  out.nbDims = static_cast<int32_t>(dims.size());
  std::copy(dims.begin(), dims.end(), out.d);
  return out;
}

}  // namespace snug::trt
