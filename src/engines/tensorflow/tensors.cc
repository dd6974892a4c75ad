#include "engines/tensorflow/tensors.h"

#include <cstring>
#include <string>
#include <vector>

#include "engines/kit/kit.h"

namespace snug::tensorflow {
namespace {

struct TypeRow {
  TF_DataType tensorflow;
  snug_dtype snug;
};
constexpr TypeRow kTypes[] = {
    {TF_BOOL, SNUG_BOOL},     {TF_UINT8, SNUG_UINT8},   {TF_UINT16, SNUG_UINT16}, {TF_UINT32, SNUG_UINT32},
    {TF_UINT64, SNUG_UINT64}, {TF_INT8, SNUG_INT8},     {TF_INT16, SNUG_INT16},   {TF_INT32, SNUG_INT32},
    {TF_INT64, SNUG_INT64},   {TF_HALF, SNUG_FP16},     {TF_FLOAT, SNUG_FP32},    {TF_DOUBLE, SNUG_FP64},
    {TF_STRING, SNUG_BYTES},  {TF_BFLOAT16, SNUG_BF16},
};

size_t StringCount(const Api& api, TF_Tensor* tensor) {
  return api.TF_TensorByteSize(tensor) / sizeof(TF_TString);
}

void KeepData(void*, size_t, void*) {}

// Snug's strings are a 4-byte length and the bytes, one after the other; the host has checked them.
TensorPtr MakeStrings(const Api& api, const snug_tensor& input) {
  size_t count = 1;
  for (int32_t i = 0; i < input.rank; ++i) count *= static_cast<size_t>(input.dims[i]);
  TensorPtr tensor(api.TF_AllocateTensor(TF_STRING, input.dims, input.rank, count * sizeof(TF_TString)),
                   {&api});
  if (tensor == nullptr) throw std::bad_alloc();
  auto* strings = static_cast<TF_TString*>(api.TF_TensorData(tensor.get()));
  const char* at = static_cast<const char*>(input.data);
  for (size_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    std::memcpy(&length, at, sizeof length);
    api.TF_StringInit(&strings[i]);
    api.TF_StringCopy(&strings[i], at + sizeof length, length);
    at += sizeof length + length;
  }
  return tensor;
}

uint64_t StringBytes(const Api& api, const TF_TString* strings, size_t count) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < count; ++i) bytes += sizeof(uint32_t) + api.TF_StringGetSize(&strings[i]);
  return bytes;
}

void CopyStrings(const Api& api, const TF_TString* strings, size_t count, char* to) {
  for (size_t i = 0; i < count; ++i) {
    auto length = static_cast<uint32_t>(api.TF_StringGetSize(&strings[i]));
    std::memcpy(to, &length, sizeof length);
    std::memcpy(to + sizeof length, api.TF_StringGetDataPointer(&strings[i]), length);
    to += sizeof length + length;
  }
}

}  // namespace

snug_dtype ToSnug(int tensorflow_dtype) {
  for (const TypeRow& row : kTypes) {
    if (row.tensorflow == tensorflow_dtype) return row.snug;
  }
  return 0;
}

TF_DataType ToTensorFlow(snug_dtype dtype) {
  for (const TypeRow& row : kTypes) {
    if (row.snug == dtype) return row.tensorflow;
  }
  throw kit::Failure(SNUG_INTERNAL, "an element type that was not declared");
}

void TensorDeleter::operator()(TF_Tensor* tensor) const {
  if (api->TF_TensorType(tensor) == TF_STRING) {
    auto* strings = static_cast<TF_TString*>(api->TF_TensorData(tensor));
    for (size_t i = 0; i < StringCount(*api, tensor); ++i) api->TF_StringDealloc(&strings[i]);
  }
  api->TF_DeleteTensor(tensor);
}

TensorPtr MakeInput(const Api& api, const snug_tensor& input) {
  if (input.dtype == SNUG_BYTES) return MakeStrings(api, input);
  TF_DataType dtype = ToTensorFlow(input.dtype);
  TensorPtr tensor(nullptr, {&api});
  if (input.bytes == 0) {
    tensor.reset(api.TF_AllocateTensor(dtype, input.dims, input.rank, 0));
  } else {
    tensor.reset(api.TF_NewTensor(dtype, input.dims, input.rank, const_cast<void*>(input.data), input.bytes,
                                  &KeepData, nullptr));
  }
  if (tensor == nullptr) throw kit::Failure(SNUG_INTERNAL, "TensorFlow refused an input tensor");
  return tensor;
}

void WriteOutput(const Api& api, TF_Tensor* result, uint32_t index, const snug_output_sink& sink) {
  std::vector<int64_t> dims;
  dims.reserve(static_cast<size_t>(std::max(0, api.TF_NumDims(result))));
  for (int i = 0; i < api.TF_NumDims(result); ++i) dims.push_back(api.TF_Dim(result, i));
  const bool is_string = api.TF_TensorType(result) == TF_STRING;
  const auto* strings = static_cast<const TF_TString*>(api.TF_TensorData(result));
  const size_t count = is_string ? StringCount(api, result) : 0;
  const uint64_t bytes = is_string ? StringBytes(api, strings, count) : api.TF_TensorByteSize(result);
  void* memory = kit::Allocate(sink, index, ToSnug(api.TF_TensorType(result)), dims, bytes);
  if (is_string)
    CopyStrings(api, strings, count, static_cast<char*>(memory));
  else if (bytes > 0)
    std::memcpy(memory, api.TF_TensorData(result), bytes);
}

}  // namespace snug::tensorflow
