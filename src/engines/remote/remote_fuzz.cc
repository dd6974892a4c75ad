#include "engines/kit/kit.h"
#include "engines/remote/kserve.h"
#include "engines/remote/tfserving.h"

// The first byte chooses the decoder, the rest is the message.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view message(reinterpret_cast<const char*>(data + 1), size - 1);
  try {
    switch (data[0] % 4) {
      case 0:
        (void)snug::remote::kserve::DecodeInfer(message);
        break;
      case 1:
        (void)snug::remote::kserve::DecodeMetadata(message);
        break;
      case 2:
        (void)snug::remote::tfserving::DecodePredict(message);
        break;
      default:
        (void)snug::remote::tfserving::DecodeMetadata(message, {"m", "", "serving_default"});
    }
  } catch (const snug::kit::Failure&) {
  }
  return 0;
}
