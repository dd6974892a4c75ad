#include "serving/batch_tensors.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace snug::serving {
namespace {

constexpr uint64_t kFnvStart = 14695981039346656037u;
constexpr uint64_t kFnvPrime = 1099511628211u;

void Mix(uint64_t& hash, uint64_t value) {
  hash = (hash ^ value) * kFnvPrime;
  hash ^= hash >> 29;
}

// Elements of one row.
uint64_t RowElements(const Shape& shape) {
  uint64_t count = 1;
  for (size_t i = 1; i < shape.size(); ++i) count *= static_cast<uint64_t>(shape[i]);
  return count;
}

// Where the row begins. BYTES elements are walked; they were checked before.
size_t RowOffset(const Tensor& tensor, int64_t row) {
  const uint64_t elements = static_cast<uint64_t>(row) * RowElements(tensor.shape);
  if (tensor.dtype != DType::kBytes) return elements * ElementBytes(tensor.dtype);
  const auto* bytes = static_cast<const uint8_t*>(tensor.buffer.data());
  size_t offset = 0;
  for (uint64_t i = 0; i < elements; ++i) {
    uint32_t length = 0;
    std::memcpy(&length, bytes + offset, sizeof length);
    offset += sizeof length + length;
  }
  return offset;
}

bool SameButRows(const Tensor& a, const Tensor& b) {
  return a.dtype == b.dtype && a.shape.size() == b.shape.size() && !a.shape.empty() &&
         std::equal(a.shape.begin() + 1, a.shape.end(), b.shape.begin() + 1);
}

}  // namespace

int64_t CommonRows(std::span<const Tensor> inputs) {
  if (inputs.empty() || inputs[0].shape.empty()) return 0;
  const int64_t rows = inputs[0].shape[0];
  const bool common = std::all_of(inputs.begin(), inputs.end(), [rows](const Tensor& input) {
    return !input.shape.empty() && input.shape[0] == rows;
  });
  return common ? rows : 0;
}

BatchShape BatchShapeOf(std::span<const Tensor> inputs) {
  BatchShape shape{CommonRows(inputs), kFnvStart};
  if (shape.rows == 0) return {};
  for (const Tensor& input : inputs) {
    Mix(shape.signature, static_cast<uint64_t>(input.dtype));
    Mix(shape.signature, input.shape.size());
    for (size_t i = 1; i < input.shape.size(); ++i)
      Mix(shape.signature, static_cast<uint64_t>(input.shape[i]));
  }
  return shape;
}

bool MayBeOneRequestsFault(Code code, bool own_process) {
  return code == Code::kInvalidArgument || code == Code::kInternal || code == Code::kUnknown ||
         (code == Code::kUnavailable && own_process);
}

Tensor SliceRows(const Tensor& tensor, int64_t begin, int64_t rows) {
  Tensor slice{tensor.name, tensor.dtype, tensor.shape, {}};
  slice.shape[0] = rows;
  const size_t first = RowOffset(tensor, begin);
  const size_t end = RowOffset(tensor, begin + rows);
  auto owner = std::make_shared<Buffer>(tensor.buffer);
  slice.buffer = Buffer::Borrow(static_cast<uint8_t*>(tensor.buffer.data()) + first, end - first, owner);
  return slice;
}

Result<Tensor> JoinRows(std::span<const Tensor> parts, int64_t size) {
  Tensor joined{parts[0].name, parts[0].dtype, parts[0].shape, {}};
  size_t bytes = 0;
  int64_t rows = 0;
  for (const Tensor& part : parts) {
    if (!SameButRows(part, parts[0])) {
      return Internal("tensor \"{}\": {} {} cannot be joined with {} {}", joined.name, DTypeName(part.dtype),
                      ShapeText(part.shape), DTypeName(joined.dtype), ShapeText(joined.shape));
    }
    bytes += part.buffer.size();
    rows += part.shape[0];
  }
  const int64_t padding = size - rows;
  if (padding < 0) return Internal("{} rows do not fit into a batch of {}", rows, size);
  const Tensor& last = parts.back();
  const size_t last_row = padding > 0 ? RowOffset(last, last.shape[0] - 1) : 0;
  const size_t row_bytes = padding > 0 ? last.buffer.size() - last_row : 0;
  joined.shape[0] = size;
  joined.buffer = Buffer::Allocate(bytes + static_cast<size_t>(padding) * row_bytes);
  auto* to = static_cast<uint8_t*>(joined.buffer.data());
  auto append = [&to](const void* from, size_t count) {
    if (count > 0) std::memcpy(to, from, count);
    to += count;
  };
  for (const Tensor& part : parts) append(part.buffer.data(), part.buffer.size());
  for (int64_t i = 0; i < padding; ++i) {
    append(static_cast<const uint8_t*>(last.buffer.data()) + last_row, row_bytes);
  }
  return joined;
}

}  // namespace snug::serving
