#include "server/record_file.h"

#include <array>
#include <cstring>

namespace snug::server {
namespace {

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = MakeTable();

// A checksum of bytes that hold checksums is weak: so the format turns it round.
uint32_t Masked(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

template <typename T>
void AppendNumber(T number, std::string& file) {
  for (size_t i = 0; i < sizeof number; ++i) file += static_cast<char>(number >> (8 * i));
}

template <typename T>
T NumberAt(std::string_view bytes) {
  T number = 0;
  for (size_t i = 0; i < sizeof number; ++i)
    number |= static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return number;
}

constexpr size_t kLengthBytes = 8, kCrcBytes = 4, kHeadBytes = kLengthBytes + kCrcBytes;

}  // namespace

uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (unsigned char byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ byte) & 0xff];
  return ~crc;
}

void AppendRecord(std::string_view record, std::string& file) {
  const size_t head = file.size();
  AppendNumber<uint64_t>(record.size(), file);
  AppendNumber<uint32_t>(Masked(Crc32c(std::string_view(file).substr(head, kLengthBytes))), file);
  file += record;
  AppendNumber<uint32_t>(Masked(Crc32c(record)), file);
}

Result<std::optional<std::string_view>> RecordReader::Next() {
  if (rest_.empty()) return std::optional<std::string_view>();
  const uint64_t at = size_ - rest_.size();
  if (rest_.size() < kHeadBytes) return Error(Code::kDataLoss, "the record at byte {} is cut off", at);
  if (NumberAt<uint32_t>(rest_.substr(kLengthBytes)) != Masked(Crc32c(rest_.substr(0, kLengthBytes))))
    return Error(Code::kDataLoss, "no record begins at byte {}: the checksum of its length is wrong", at);
  const auto length = NumberAt<uint64_t>(rest_);
  const uint64_t left = rest_.size() - kHeadBytes;
  if (left < kCrcBytes || length > left - kCrcBytes)
    return Error(Code::kDataLoss, "the record at byte {} is cut off: {} bytes of {} are there", at, left,
                 length);
  const std::string_view record = rest_.substr(kHeadBytes, length);
  if (NumberAt<uint32_t>(rest_.substr(kHeadBytes + length)) != Masked(Crc32c(record)))
    return Error(Code::kDataLoss, "the record at byte {} is damaged: its checksum is wrong", at);
  rest_.remove_prefix(kHeadBytes + length + kCrcBytes);
  return std::optional(record);
}

}  // namespace snug::server
