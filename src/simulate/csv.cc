#include "simulate/csv.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace snug::simulate {
namespace {

constexpr size_t kMissing = std::numeric_limits<size_t>::max();
constexpr size_t kFieldShownMax = 40;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // some spreadsheets begin with it

void Split(std::string_view line, std::vector<std::string_view>& fields) {
  fields.clear();
  for (;;) {
    size_t comma = line.find(',');
    fields.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos || fields.size() > kCsvColumnsMax) return;
    line.remove_prefix(comma + 1);
  }
}

template <typename T>
Result<T> Number(std::string_view field, std::string_view column, size_t line, T low, T high) {
  T value{};
  auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size() || !(value >= low && value <= high)) {
    return InvalidArgument("line {}: {} is \"{}\", expected a number from {} to {}", line, column,
                           field.substr(0, kFieldShownMax), low, high);
  }
  return value;
}

}  // namespace

Status CsvReader::ReadLine(std::string_view& line) {
  size_t end = rest_.find('\n');
  line = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  ++line_;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() <= kCsvLineBytesMax) return {};
  return InvalidArgument("line {} has {} bytes; at most {} are read", line_, line.size(), kCsvLineBytesMax);
}

Result<CsvReader> CsvReader::Open(std::string_view text, const std::vector<std::string_view>& columns) {
  CsvReader reader;
  reader.rest_ = text;
  std::string_view header;
  SNUG_RETURN_IF_ERROR(reader.ReadLine(header));
  if (header.starts_with(kByteOrderMark)) header.remove_prefix(kByteOrderMark.size());
  Split(header, reader.raw_);
  if (reader.raw_.size() > kCsvColumnsMax) return InvalidArgument("more than {} columns", kCsvColumnsMax);
  reader.file_columns_ = reader.raw_.size();
  for (std::string_view column : columns) {
    bool optional = column.starts_with('?');
    if (optional) column.remove_prefix(1);
    auto found = std::find(reader.raw_.begin(), reader.raw_.end(), column);
    if (found == reader.raw_.end() && !optional) {
      return InvalidArgument("the header line lacks the column \"{}\"; it has: {}", column,
                             header.substr(0, 5 * kFieldShownMax));
    }
    reader.position_.push_back(found == reader.raw_.end() ? kMissing
                                                          : static_cast<size_t>(found - reader.raw_.begin()));
  }
  return reader;
}

Result<bool> CsvReader::Next(std::vector<std::string_view>& fields) {
  std::string_view line;
  do {
    if (rest_.empty()) return false;
    SNUG_RETURN_IF_ERROR(ReadLine(line));
  } while (line.empty());
  Split(line, raw_);
  if (raw_.size() != file_columns_) {
    return InvalidArgument("line {} has {} fields, the header line {}", line_, raw_.size(), file_columns_);
  }
  fields.clear();
  for (size_t position : position_)
    fields.push_back(position == kMissing ? std::string_view() : raw_[position]);
  return true;
}

Result<int64_t> IntField(std::string_view field, std::string_view column, size_t line, int64_t low,
                         int64_t high) {
  return Number<int64_t>(field, column, line, low, high);
}

Result<double> RealField(std::string_view field, std::string_view column, size_t line, double low,
                         double high) {
  return Number<double>(field, column, line, low, high);
}

}  // namespace snug::simulate
