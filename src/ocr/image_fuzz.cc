#include <cstdint>
#include <span>

#include "ocr/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto image = snug::ocr::DecodeImage(std::span(data, size));
  if (!image.ok() && image.status().text().empty()) __builtin_trap();
  return 0;
}
