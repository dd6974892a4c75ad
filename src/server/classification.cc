#include "server/classification.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

namespace snug::server {
namespace {

template <typename T>
bool IsNan(T value) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(value);
  return false;
}

template <typename T>
std::string ScoreText(T value) {
  if constexpr (std::is_floating_point_v<T>) return fmt::format("{:f}", value);
  return fmt::format("{}", value);
}

void AppendBytes(const std::string& text, std::string& bytes) {
  const auto length = static_cast<uint32_t>(text.size());
  bytes.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
}

using Labels = std::span<const std::string>;

template <typename T>
void AppendHighest(const T* row, size_t size, size_t count, Labels labels, std::string& bytes) {
  std::vector<uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0u);
  auto before = [row](uint32_t a, uint32_t b) {
    if (IsNan(row[a]) || IsNan(row[b])) return IsNan(row[a]) ? IsNan(row[b]) && a < b : true;
    return row[a] == row[b] ? a < b : row[a] > row[b];
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(count), order.end(), before);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t index = order[i];
    std::string text = fmt::format("{}:{}", ScoreText(row[index]), index);
    if (index < labels.size()) text.append(":").append(labels[index]);
    AppendBytes(text, bytes);
  }
}

struct Rows {
  size_t count = 1, size = 0, highest = 0;
};

template <typename T>
std::string HighestOf(const Tensor& scores, const Rows& rows, Labels labels) {
  std::string bytes;
  const auto* values = static_cast<const T*>(scores.buffer.data());
  for (size_t row = 0; row < rows.count; ++row)
    AppendHighest(values + row * rows.size, rows.size, rows.highest, labels, bytes);
  return bytes;
}

Result<std::string> Highest(const Tensor& scores, const Rows& rows, Labels labels) {
  switch (scores.dtype) {
    case DType::kFp32:
      return HighestOf<float>(scores, rows, labels);
    case DType::kFp64:
      return HighestOf<double>(scores, rows, labels);
    case DType::kInt8:
      return HighestOf<int8_t>(scores, rows, labels);
    case DType::kInt16:
      return HighestOf<int16_t>(scores, rows, labels);
    case DType::kInt32:
      return HighestOf<int32_t>(scores, rows, labels);
    case DType::kInt64:
      return HighestOf<int64_t>(scores, rows, labels);
    case DType::kUint8:
      return HighestOf<uint8_t>(scores, rows, labels);
    case DType::kUint16:
      return HighestOf<uint16_t>(scores, rows, labels);
    case DType::kUint32:
      return HighestOf<uint32_t>(scores, rows, labels);
    case DType::kUint64:
      return HighestOf<uint64_t>(scores, rows, labels);
    default:
      return InvalidArgument("output \"{}\": classification is not available for datatype {}", scores.name,
                             DTypeName(scores.dtype));
  }
}

}  // namespace

Result<Tensor> Classify(const Tensor& scores, int64_t classes, bool has_batch, Labels labels) {
  const bool batched = has_batch && !scores.shape.empty();
  const auto count = ElementCount(scores.shape);
  if (!count || *count > UINT32_MAX)
    return InvalidArgument("output \"{}\": too many elements to classify", scores.name);
  Rows rows;
  rows.count = batched ? static_cast<size_t>(scores.shape[0]) : 1;
  rows.size = rows.count == 0 ? 0 : static_cast<size_t>(*count) / rows.count;
  rows.highest = std::min(rows.size, static_cast<size_t>(classes));
  SNUG_ASSIGN_OR_RETURN(const std::string bytes, Highest(scores, rows, labels));
  Tensor result{scores.name, DType::kBytes, {static_cast<int64_t>(rows.highest)}, {}};
  if (batched) result.shape.insert(result.shape.begin(), scores.shape[0]);
  result.buffer = Buffer::Allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(result.buffer.data(), bytes.data(), bytes.size());
  return result;
}

}  // namespace snug::server
