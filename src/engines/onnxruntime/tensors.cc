#include "engines/onnxruntime/tensors.h"

#include <cstring>
#include <string_view>

namespace snug::ort {
namespace {

using kit::Failure;

struct TypeRow {
  snug_dtype snug;
  ONNXTensorElementDataType onnx;
};
constexpr TypeRow kTypes[] = {
    {SNUG_BOOL, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL},     {SNUG_UINT8, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8},
    {SNUG_UINT16, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16}, {SNUG_UINT32, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32},
    {SNUG_UINT64, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64}, {SNUG_INT8, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8},
    {SNUG_INT16, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16},   {SNUG_INT32, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
    {SNUG_INT64, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},   {SNUG_FP16, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16},
    {SNUG_FP32, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT},    {SNUG_FP64, ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE},
    {SNUG_BF16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16}, {SNUG_BYTES, ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING}};

struct TypeAndShape {
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::vector<int64_t> dims;
};

TypeAndShape Read(const OrtTensorTypeAndShapeInfo* info) {
  const OrtApi& api = Open();
  TypeAndShape read;
  size_t rank = 0;
  Check(api.GetTensorElementType(info, &read.type));
  Check(api.GetDimensionsCount(info, &rank));
  read.dims.resize(rank);
  Check(api.GetDimensions(info, read.dims.data(), rank));
  for (int64_t& dim : read.dims) dim = dim < 0 ? -1 : dim;
  return read;
}

// ONNX Runtime wants texts that end with a zero: one that holds a zero inside would come out shorter.
Owned<OrtValue> TextsOf(const snug_tensor& tensor) {
  const OrtApi& api = Open();
  std::vector<std::string> texts;
  const auto* at = static_cast<const char*>(tensor.data);
  const char* end = at + tensor.bytes;
  while (at < end) {
    uint32_t length = 0;
    std::memcpy(&length, at, sizeof length);
    texts.emplace_back(at + sizeof length, length);
    at += sizeof length + length;
    if (texts.back().find('\0') == std::string::npos) continue;
    throw Failure(SNUG_INVALID_ARGUMENT, std::string("input \"") + tensor.name +
                                             "\": ONNX Runtime takes no text with a zero byte inside");
  }
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  OrtAllocator* allocator = nullptr;
  OrtValue* value = nullptr;
  Check(api.GetAllocatorWithDefaultOptions(&allocator));
  Check(api.CreateTensorAsOrtValue(allocator, tensor.dims, static_cast<size_t>(tensor.rank),
                                   ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, &value));
  Owned<OrtValue> owned(value);
  Check(api.FillStringTensor(value, pointers.data(), pointers.size()));
  return owned;
}

void* Allocate(const snug_output_sink* sink, uint32_t index, const TypeAndShape& tensor, uint64_t bytes) {
  void* memory = sink->allocate(sink->context, index, ToSnug(tensor.type),
                                static_cast<int32_t>(tensor.dims.size()), tensor.dims.data(), bytes);
  if (memory == nullptr) throw Failure(SNUG_INTERNAL, "the host refused an output");
  return memory;
}

void CopyTexts(const OrtValue& value, size_t count, const TypeAndShape& tensor, uint32_t index,
               const snug_output_sink* sink) {
  size_t bytes = 0;
  Check(Open().GetStringTensorDataLength(&value, &bytes));
  std::string texts(bytes, '\0');
  std::vector<size_t> offsets(count);
  Check(Open().GetStringTensorContent(&value, texts.data(), bytes, offsets.data(), count));
  auto* out = static_cast<char*>(Allocate(sink, index, tensor, bytes + count * sizeof(uint32_t)));
  for (size_t i = 0; i < count; ++i) {
    const size_t end = i + 1 < count ? offsets[i + 1] : bytes;
    const auto length = static_cast<uint32_t>(end - offsets[i]);
    std::memcpy(out, &length, sizeof length);
    std::memcpy(out + sizeof length, texts.data() + offsets[i], length);
    out += sizeof length + length;
  }
}

}  // namespace

ONNXTensorElementDataType ToOnnx(snug_dtype dtype) {
  for (const TypeRow& row : kTypes) {
    if (row.snug == dtype) return row.onnx;
  }
  throw Failure(SNUG_UNIMPLEMENTED,
                "ONNX Runtime has no tensors of type " + std::string(kit::DTypeName(dtype)));
}

snug_dtype ToSnug(ONNXTensorElementDataType type) {
  for (const TypeRow& row : kTypes) {
    if (row.onnx == type) return row.snug;
  }
  throw Failure(SNUG_UNIMPLEMENTED, "a tensor of ONNX's type " + std::to_string(type) + " is not served");
}

Owned<OrtValue> Wrap(const OrtMemoryInfo& cpu, ONNXTensorElementDataType type, const int64_t* dims,
                     int32_t rank, void* data, uint64_t bytes) {
  OrtValue* value = nullptr;
  Check(Open().CreateTensorWithDataAsOrtValue(&cpu, data, bytes, dims, static_cast<size_t>(rank), type,
                                              &value));
  return Owned<OrtValue>(value);
}

Owned<OrtValue> InputOf(const OrtMemoryInfo& cpu, const snug_tensor& tensor) {
  if (tensor.dtype == SNUG_BYTES) return TextsOf(tensor);
  return Wrap(cpu, ToOnnx(tensor.dtype), tensor.dims, tensor.rank, const_cast<void*>(tensor.data),
              tensor.bytes);
}

void CopyOutput(const OrtValue& value, uint32_t index, const snug_output_sink* sink) {
  OrtTensorTypeAndShapeInfo* info = nullptr;
  Check(Open().GetTensorTypeAndShape(&value, &info));
  const Owned<OrtTensorTypeAndShapeInfo> owned(info);
  const TypeAndShape tensor = Read(info);
  size_t count = 0;
  Check(Open().GetTensorShapeElementCount(info, &count));
  if (tensor.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING)
    return CopyTexts(value, count, tensor, index, sink);
  const uint64_t bytes = count * kit::ElementBytes(ToSnug(tensor.type));
  void* memory = Allocate(sink, index, tensor, bytes);
  void* data = nullptr;
  Check(Open().GetTensorMutableData(const_cast<OrtValue*>(&value), &data));
  if (bytes > 0) std::memcpy(memory, data, bytes);
}

void ReadSpecs(const OrtSession& session, bool inputs, kit::SpecList& specs) {
  const OrtApi& api = Open();
  OrtAllocator* allocator = nullptr;
  Check(api.GetAllocatorWithDefaultOptions(&allocator));
  size_t count = 0;
  Check(inputs ? api.SessionGetInputCount(&session, &count) : api.SessionGetOutputCount(&session, &count));
  for (size_t i = 0; i < count; ++i) {
    char* text = nullptr;
    Check(inputs ? api.SessionGetInputName(&session, i, allocator, &text)
                 : api.SessionGetOutputName(&session, i, allocator, &text));
    const std::string name(text);
    Check(api.AllocatorFree(allocator, text));
    OrtTypeInfo* type = nullptr;
    Check(inputs ? api.SessionGetInputTypeInfo(&session, i, &type)
                 : api.SessionGetOutputTypeInfo(&session, i, &type));
    const Owned<OrtTypeInfo> owned(type);
    const OrtTensorTypeAndShapeInfo* info = nullptr;  // type's
    Check(api.CastTypeInfoToTensorInfo(type, &info));
    if (info == nullptr)
      throw Failure(SNUG_UNIMPLEMENTED,
                    "\"" + name + "\" is no tensor but a sequence, map or optional value");
    const TypeAndShape tensor = Read(info);
    specs.Add(name, ToSnug(tensor.type), tensor.dims);
  }
}

}  // namespace snug::ort
