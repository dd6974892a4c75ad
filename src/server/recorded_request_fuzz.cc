#include <cstdint>
#include <string_view>

#include "server/record_file.h"
#include "server/recorded_request.h"

// A file of records, and what is in them; then the bytes as one record, since few files have right checksums.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  snug::server::RecordReader records(bytes);
  for (auto record = records.Next(); record.ok() && record->has_value(); record = records.Next()) {
    if (!snug::server::DecodeRecorded(**record).ok()) break;
  }
  auto request = snug::server::DecodeRecorded(bytes);
  if (request.ok() && request->is_payload && !request->inputs.empty()) __builtin_trap();
  return 0;
}
