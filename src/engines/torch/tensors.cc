#include "engines/torch/tensors.h"

#include <cstring>
#include <string>

#include "engines/kit/kit.h"

namespace snug::torch_engine {
namespace {

struct TypeRow {
  snug_dtype snug;
  at::ScalarType torch;
};
constexpr TypeRow kTypes[] = {
    {SNUG_BOOL, at::kBool},     {SNUG_UINT8, at::kByte},    {SNUG_UINT16, at::kUInt16},
    {SNUG_UINT32, at::kUInt32}, {SNUG_UINT64, at::kUInt64}, {SNUG_INT8, at::kChar},
    {SNUG_INT16, at::kShort},   {SNUG_INT32, at::kInt},     {SNUG_INT64, at::kLong},
    {SNUG_FP16, at::kHalf},     {SNUG_FP32, at::kFloat},    {SNUG_FP64, at::kDouble},
    {SNUG_BF16, at::kBFloat16},
};

}  // namespace

at::ScalarType ToTorch(snug_dtype dtype) {
  for (const TypeRow& row : kTypes) {
    if (row.snug == dtype) return row.torch;
  }
  throw kit::Failure(SNUG_UNIMPLEMENTED,
                     "LibTorch has no tensors of type " + std::string(kit::DTypeName(dtype)));
}

snug_dtype ToSnug(at::ScalarType type) {
  for (const TypeRow& row : kTypes) {
    if (row.torch == type) return row.snug;
  }
  throw kit::Failure(SNUG_UNIMPLEMENTED,
                     std::string("the model returned a tensor of type ") + c10::toString(type));
}

at::Tensor ViewOf(const snug_tensor& tensor) {
  return at::from_blob(const_cast<void*>(tensor.data),
                       c10::IntArrayRef(tensor.dims, static_cast<size_t>(tensor.rank)),
                       at::TensorOptions(ToTorch(tensor.dtype)));
}

void WriteOutput(const at::Tensor& value, uint32_t index, const snug_output_sink& sink) {
  const at::Tensor tensor = value.cpu().contiguous();
  const uint64_t bytes = tensor.nbytes();
  void* memory = sink.allocate(sink.context, index, ToSnug(tensor.scalar_type()),
                               static_cast<int32_t>(tensor.dim()), tensor.sizes().data(), bytes);
  if (memory == nullptr)
    throw kit::Failure(SNUG_INTERNAL, "the host refused output " + std::to_string(index));
  if (bytes > 0) std::memcpy(memory, tensor.const_data_ptr(), bytes);
}

}  // namespace snug::torch_engine
