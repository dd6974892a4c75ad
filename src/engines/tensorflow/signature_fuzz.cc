#include "engines/kit/kit.h"
#include "engines/tensorflow/signature.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    (void)snug::tensorflow::ReadSignatures({reinterpret_cast<const char*>(data), size});
  } catch (const snug::kit::Failure&) {
  }
  return 0;
}
