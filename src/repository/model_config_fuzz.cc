#include <cstdint>
#include <string_view>

#include "repository/repository.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto config = snug::repository::ParseModelConfig(text, "model.yaml");
  if (!config.ok() && config.status().text().find("model.yaml:") != 0) __builtin_trap();
  return 0;
}
