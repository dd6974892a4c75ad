// Tensors as values: element types, specs with free dimensions, and views with data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace snug {

// Numbers are those of snug_dtype in api/engine.h.
enum class DType : int32_t {
  kBool = 1,
  kUint8 = 2,
  kUint16 = 3,
  kUint32 = 4,
  kUint64 = 5,
  kInt8 = 6,
  kInt16 = 7,
  kInt32 = 8,
  kInt64 = 9,
  kFp16 = 10,
  kFp32 = 11,
  kFp64 = 12,
  kBf16 = 13,
  kBytes = 14,
};

// Bytes of one element; 0 for kBytes, whose elements have their own lengths.
size_t ElementBytes(DType dtype);
// KServe v2's name, "FP32".
std::string_view DTypeName(DType dtype);
std::optional<DType> DTypeFromName(std::string_view name);
bool IsValidDType(int32_t number);

using Shape = std::vector<int64_t>;

// "[1,3,48,320]"; a free dimension prints as -1.
std::string ShapeText(const Shape& shape);
// Product of the dimensions, nullopt when one is negative or the product does not fit (overflow-checked).
std::optional<uint64_t> ElementCount(const Shape& shape);
// Whether `shape` (all dimensions known) fits `spec` (-1 is free).
bool ShapeFits(const Shape& shape, const Shape& spec);

struct TensorSpec {
  std::string name;
  DType dtype = DType::kFp32;
  Shape shape;  // -1 is free

  bool operator==(const TensorSpec&) const = default;
};

// A tensor that somebody else's memory holds: row-major, dense, little-endian. kBytes data is a sequence of
// 4-byte lengths and contents.
struct TensorView {
  std::string_view name;
  DType dtype = DType::kFp32;
  Shape shape;
  const void* data = nullptr;
  size_t bytes = 0;
};

// Memory of a tensor, 64-byte aligned and not zeroed, kept alive by whoever holds it.
class Buffer {
 public:
  Buffer() = default;
  // `bytes` may be 0. Never fails but by std::bad_alloc; callers check limits first.
  static Buffer Allocate(size_t bytes);
  // Memory that `owner` keeps alive: a request's protobuf, a shared-memory region.
  static Buffer Borrow(void* data, size_t bytes, std::shared_ptr<void> owner);

  void* data() const { return data_; }
  size_t size() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
  std::shared_ptr<void> owner_;
};

struct Tensor {
  std::string name;
  DType dtype = DType::kFp32;
  Shape shape;
  Buffer buffer;

  TensorView View() const { return {name, dtype, shape, buffer.data(), buffer.size()}; }
};

// Whether `bytes` bytes at `data` are what dtype and shape need. For kBytes walks the elements: each length
// must lie inside, and there must be exactly as many elements as the shape says. The text names the tensor,
// says what was expected and what came.
Status CheckTensorBytes(std::string_view name, DType dtype, const Shape& shape, const void* data,
                        size_t bytes);

// Whether a tensor fits the model's spec: dtype and shape. INVALID_ARGUMENT with "expected … got …"
// otherwise.
Status CheckTensorSpec(const TensorView& tensor, const TensorSpec& spec);

}  // namespace snug
