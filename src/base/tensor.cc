#include "base/tensor.h"

#include <fmt/ranges.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

namespace snug {
namespace {

struct DTypeRow {
  std::string_view name;
  size_t bytes;
};
constexpr std::array<DTypeRow, 15> kDTypes{{{"INVALID", 0},
                                            {"BOOL", 1},
                                            {"UINT8", 1},
                                            {"UINT16", 2},
                                            {"UINT32", 4},
                                            {"UINT64", 8},
                                            {"INT8", 1},
                                            {"INT16", 2},
                                            {"INT32", 4},
                                            {"INT64", 8},
                                            {"FP16", 2},
                                            {"FP32", 4},
                                            {"FP64", 8},
                                            {"BF16", 2},
                                            {"BYTES", 0}}};
constexpr size_t kAlignment = 64;

const DTypeRow& Row(DType dtype) {
  auto index = static_cast<size_t>(dtype);
  return kDTypes[index < kDTypes.size() ? index : 0];
}

Status CheckBytesElements(std::string_view name, uint64_t count, const char* data, size_t bytes) {
  size_t at = 0;
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (bytes - at < sizeof length) {
      return InvalidArgument("tensor \"{}\": BYTES data ends after {} of {} elements", name, i, count);
    }
    std::memcpy(&length, data + at, sizeof length);
    at += sizeof length;
    if (length > bytes - at) {
      return InvalidArgument("tensor \"{}\": BYTES element {} says {} bytes, {} are left", name, i, length,
                             bytes - at);
    }
    at += length;
  }
  if (at != bytes) {
    return InvalidArgument("tensor \"{}\": {} bytes follow the last of {} BYTES elements", name, bytes - at,
                           count);
  }
  return {};
}

}  // namespace

size_t ElementBytes(DType dtype) {
  return Row(dtype).bytes;
}
std::string_view DTypeName(DType dtype) {
  return Row(dtype).name;
}
bool IsValidDType(int32_t number) {
  return number >= 1 && number < static_cast<int32_t>(kDTypes.size());
}

std::optional<DType> DTypeFromName(std::string_view name) {
  for (size_t i = 1; i < kDTypes.size(); ++i) {
    if (kDTypes[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::string ShapeText(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

std::optional<uint64_t> ElementCount(const Shape& shape) {
  uint64_t count = 1;
  bool empty = false;
  for (int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    if (dim == 0)
      empty = true;
    else if (__builtin_mul_overflow(count, static_cast<uint64_t>(dim), &count))
      return std::nullopt;
  }
  return empty ? 0 : count;
}

bool ShapeFits(const Shape& shape, const Shape& spec) {
  if (shape.size() != spec.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0 || (spec[i] >= 0 && spec[i] != shape[i])) return false;
  }
  return true;
}

Buffer Buffer::Allocate(size_t bytes) {
  size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void* data = std::aligned_alloc(kAlignment, rounded == 0 ? kAlignment : rounded);
  if (data == nullptr) throw std::bad_alloc();
  return Borrow(data, bytes, std::shared_ptr<void>(data, std::free));
}

Buffer Buffer::Borrow(void* data, size_t bytes, std::shared_ptr<void> owner) {
  Buffer buffer;
  buffer.data_ = data;
  buffer.bytes_ = bytes;
  buffer.owner_ = std::move(owner);
  return buffer;
}

Status CheckTensorBytes(std::string_view name, DType dtype, const Shape& shape, const void* data,
                        size_t bytes) {
  auto count = ElementCount(shape);
  if (!count) return InvalidArgument("tensor \"{}\": shape {} is not valid", name, ShapeText(shape));
  if (dtype == DType::kBytes) return CheckBytesElements(name, *count, static_cast<const char*>(data), bytes);
  uint64_t expected = 0;
  if (__builtin_mul_overflow(*count, static_cast<uint64_t>(ElementBytes(dtype)), &expected) ||
      expected != bytes) {
    return InvalidArgument("tensor \"{}\": {} {} needs {} bytes, got {}", name, DTypeName(dtype),
                           ShapeText(shape), expected, bytes);
  }
  return {};
}

Status CheckTensorSpec(const TensorView& tensor, const TensorSpec& spec) {
  if (tensor.dtype != spec.dtype) {
    return InvalidArgument("input \"{}\": expected datatype {}, got {}", tensor.name, DTypeName(spec.dtype),
                           DTypeName(tensor.dtype));
  }
  if (!ShapeFits(tensor.shape, spec.shape)) {
    return InvalidArgument("input \"{}\": expected shape {}{}, got {}", tensor.name, ShapeText(spec.shape),
                           ElementCount(spec.shape) ? "" : " (-1 is free)", ShapeText(tensor.shape));
  }
  return {};
}

}  // namespace snug
