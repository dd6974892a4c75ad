#include "serving/batch_tensors.h"

#include <algorithm>
#include <cstring>
#include <functional>
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

// Elements of dimensions [begin, rank).
size_t ElementsFrom(const Shape& shape, size_t begin) {
  size_t count = 1;
  for (size_t i = begin; i < shape.size(); ++i) count *= static_cast<size_t>(shape[i]);
  return count;
}

bool EqualFrom(const Shape& a, const Shape& b, size_t begin) {
  return std::equal(a.begin() + static_cast<ptrdiff_t>(begin), a.end(),
                    b.begin() + static_cast<ptrdiff_t>(begin));
}

void Fill(uint8_t* to, size_t elements, std::string_view filler) {
  if (elements == 0) return;
  if (filler.find_first_not_of('\0') == std::string_view::npos) {
    std::memset(to, 0, elements * filler.size());
    return;
  }
  for (size_t i = 0; i < elements; ++i) std::memcpy(to + i * filler.size(), filler.data(), filler.size());
}

// Writes all of `large`, the elements of `small` in its corner.
void CopyInto(uint8_t* to, const Shape& large, const uint8_t* from, const Shape& small, size_t dim,
              std::string_view filler) {
  const auto own = static_cast<size_t>(small[dim]);
  const size_t to_step = ElementsFrom(large, dim + 1) * filler.size();
  const size_t from_step = ElementsFrom(small, dim + 1) * filler.size();
  if (EqualFrom(large, small, dim + 1)) {
    if (own * to_step > 0) std::memcpy(to, from, own * to_step);
  } else {
    for (size_t i = 0; i < own; ++i)
      CopyInto(to + i * to_step, large, from + i * from_step, small, dim + 1, filler);
  }
  Fill(to + own * to_step, (static_cast<size_t>(large[dim]) - own) * to_step / filler.size(), filler);
}

// Writes all of `small`: the corner of `large`.
void CopyOutOf(uint8_t* to, const Shape& small, const uint8_t* from, const Shape& large, size_t dim,
               size_t element) {
  const auto own = static_cast<size_t>(small[dim]);
  const size_t to_step = ElementsFrom(small, dim + 1) * element;
  const size_t from_step = ElementsFrom(large, dim + 1) * element;
  if (EqualFrom(large, small, dim + 1)) {
    if (own * to_step > 0) std::memcpy(to, from, own * to_step);
    return;
  }
  for (size_t i = 0; i < own; ++i)
    CopyOutOf(to + i * to_step, small, from + i * from_step, large, dim + 1, element);
}

// Whether the corner's elements come first: nothing but ones before the first dimension that is cut.
bool ComesFirst(const Shape& corner, const Shape& whole) {
  size_t dim = 0;
  while (dim < whole.size() && whole[dim] == 1 && corner[dim] == 1) ++dim;
  return dim == whole.size() || EqualFrom(corner, whole, dim + 1);
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

Result<Tensor> JoinPadded(std::span<const Tensor> parts, int64_t size, const Shape& shape,
                          std::string_view filler) {
  Tensor joined{parts[0].name, parts[0].dtype, shape, {}};
  joined.shape[0] = size;
  const size_t row_bytes = ElementsFrom(shape, 1) * filler.size();
  joined.buffer = Buffer::Allocate(static_cast<size_t>(size) * row_bytes);
  auto* begin = static_cast<uint8_t*>(joined.buffer.data());
  int64_t rows = 0;
  for (const Tensor& part : parts) {
    const bool fits =
        part.dtype == joined.dtype && part.shape.size() == shape.size() && rows + part.shape[0] <= size &&
        std::equal(part.shape.begin() + 1, part.shape.end(), shape.begin() + 1, std::less_equal<>());
    if (!fits) {
      return Internal("tensor \"{}\": {} {} does not fit into {} {}", joined.name, DTypeName(part.dtype),
                      ShapeText(part.shape), DTypeName(joined.dtype), ShapeText(joined.shape));
    }
    Shape large = shape;
    large[0] = part.shape[0];
    CopyInto(begin + static_cast<size_t>(rows) * row_bytes, large,
             static_cast<const uint8_t*>(part.buffer.data()), part.shape, 0, filler);
    rows += part.shape[0];
  }
  for (; rows > 0 && rows < size; ++rows) {
    uint8_t* row = begin + static_cast<size_t>(rows) * row_bytes;
    if (row_bytes > 0) std::memcpy(row, row - row_bytes, row_bytes);
  }
  return joined;
}

Tensor Corner(const Tensor& tensor, const Shape& shape) {
  if (shape == tensor.shape) return tensor;
  Tensor corner{tensor.name, tensor.dtype, shape, {}};
  const size_t element = ElementBytes(tensor.dtype);
  const size_t bytes = ElementsFrom(shape, 0) * element;
  if (ComesFirst(shape, tensor.shape)) {
    corner.buffer = Buffer::Borrow(tensor.buffer.data(), bytes, std::make_shared<Buffer>(tensor.buffer));
    return corner;
  }
  corner.buffer = Buffer::Allocate(bytes);
  CopyOutOf(static_cast<uint8_t*>(corner.buffer.data()), shape,
            static_cast<const uint8_t*>(tensor.buffer.data()), tensor.shape, 0, element);
  return corner;
}

}  // namespace snug::serving
