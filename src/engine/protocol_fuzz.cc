// Frames and commands from any bytes: the first byte chooses the reader. What is accepted must survive a
// round trip.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "engine/commands.h"
#include "engine/frames.h"

using namespace snug::engine;

namespace {

void ReadFrame(std::span<const std::byte> bytes) {
  auto frame = DecodeFrame(bytes);
  if (!frame.ok()) return;
  static std::vector<std::byte> buffer(kFrameBytesMax);
  auto again = DecodeFrame(EncodeFrame(*frame, buffer));
  if (!again.ok() || again->tensors != frame->tensors || again->wanted != frame->wanted) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0:
      ReadFrame(std::as_bytes(std::span(data + 1, size - 1)));
      break;
    case 1:
      (void)DecodeCommand(text);
      break;
    case 2:
      (void)DecodeInfo(text);
      break;
    default:
      (void)DecodeStatus(text);
  }
  return 0;
}
