// A table of comma-separated values with a header line, as the public traces are: no quotes, no commas inside
// a field. Views point into the text, which outlives the reader.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace snug::simulate {

inline constexpr size_t kCsvLineBytesMax = size_t{64} * 1024;
inline constexpr size_t kCsvColumnsMax = 256;

class CsvReader {
 public:
  // `columns` are those wanted, in any order in the file; others are skipped. Columns that begin with '?' may
  // be missing and then read as "". INVALID_ARGUMENT says which are missing and what the file has.
  static Result<CsvReader> Open(std::string_view text, const std::vector<std::string_view>& columns);

  // The next row's fields in the order of `columns`; false at the end. Blank lines are skipped.
  Result<bool> Next(std::vector<std::string_view>& fields);
  size_t line() const { return line_; }

 private:
  Status ReadLine(std::string_view& line);

  std::string_view rest_;
  std::vector<size_t> position_;  // in the file, of each wanted column; SIZE_MAX: missing
  size_t file_columns_ = 0;
  size_t line_ = 0;
  std::vector<std::string_view> raw_;
};

// A number within [low, high], or INVALID_ARGUMENT with the line and the column's name.
Result<int64_t> IntField(std::string_view field, std::string_view column, size_t line, int64_t low,
                         int64_t high);
Result<double> RealField(std::string_view field, std::string_view column, size_t line, double low,
                         double high);

}  // namespace snug::simulate
