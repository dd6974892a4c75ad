// Foreign bytes as every kind of trace: an error or a value, never a crash.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "simulate/gzip.h"
#include "simulate/options.h"
#include "simulate/traces.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace snug::simulate;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto text = UnpackMaybeGzip(bytes, 1 << 20);
  if (!text.ok()) return 0;
  (void)ParseNodes(*text);
  (void)ParsePods(*text);
  (void)ParseSeries(*text);
  (void)ParseSeeds(*text);
  (void)ParseRange(*text);
  return 0;
}
