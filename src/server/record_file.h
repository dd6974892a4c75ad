// Records one after the other in a file, each with its length and checksums: TensorFlow's TFRecord. A torn
// end or a flipped bit is noticed. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace snug::server {

// Appends a record to `file`.
void AppendRecord(std::string_view record, std::string& file);
// What a record takes beside its bytes.
inline constexpr uint64_t kRecordOverheadBytes = 16;

class RecordReader {
 public:
  explicit RecordReader(std::string_view file) : rest_(file), size_(file.size()) {}
  // The next record, which points into the file; nothing at the end. DATA_LOSS says at which byte the file is
  // damaged.
  Result<std::optional<std::string_view>> Next();

 private:
  std::string_view rest_;
  const uint64_t size_;
};

// Castagnoli's CRC of the bytes.
uint32_t Crc32c(std::string_view bytes);

}  // namespace snug::server
