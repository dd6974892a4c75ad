// ONNX Runtime's C API with owners for its objects. The library is opened by Open, not linked: its header
// comes from another package than its library, and the C API is what fits any newer one.
#pragma once

#include <onnxruntime_c_api.h>

#include <memory>
#include <string>

#include "engines/kit/kit.h"

namespace snug::ort {

// Opens the library (libonnxruntime.so.* beside the header's package) once. Throws kit::Failure when it is
// not there or older than the header.
const OrtApi& Open();
std::string Version();  // of the library; "" before Open

// Throws kit::Failure when `status` is an error, and releases it.
void Check(OrtStatus* status);

template <typename T>
struct Release;
#define SNUG_ORT_RELEASE(type)                                                 \
  template <>                                                                  \
  struct Release<Ort##type> {                                                  \
    void operator()(Ort##type* object) const { Open().Release##type(object); } \
  }
SNUG_ORT_RELEASE(Env);
SNUG_ORT_RELEASE(Session);
SNUG_ORT_RELEASE(SessionOptions);
SNUG_ORT_RELEASE(MemoryInfo);
SNUG_ORT_RELEASE(TypeInfo);
SNUG_ORT_RELEASE(TensorTypeAndShapeInfo);
SNUG_ORT_RELEASE(Value);
#undef SNUG_ORT_RELEASE

template <typename T>
using Owned = std::unique_ptr<T, Release<T>>;

}  // namespace snug::ort
