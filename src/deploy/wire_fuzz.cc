#include <cstddef>
#include <cstdint>
#include <string_view>

#include "deploy/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)snug::deploy::ParseRecord(text);
  (void)snug::deploy::ParseReadyFile(text);
  (void)snug::deploy::ParseIndex(text);
  (void)snug::deploy::ErrorText(text);
  return 0;
}
