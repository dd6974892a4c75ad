#include "engines/onnxruntime/api.h"

#include <dlfcn.h>

#include <mutex>

namespace snug::ort {
namespace {

using kit::Failure;

const OrtApiBase* base = nullptr;  // set once, before api
const OrtApi* api = nullptr;

// Beside the wheel that it was built with, else wherever the system finds it.
void* OpenLibrary() {
  for (const char* path : {SNUG_ORT_LIBRARY, "libonnxruntime.so.1"}) {
    if (void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL)) return library;
  }
  throw Failure(SNUG_FAILED_PRECONDITION, std::string("ONNX Runtime cannot be opened: ") + dlerror());
}

snug_code CodeOf(OrtErrorCode code) {
  switch (code) {
    case ORT_INVALID_ARGUMENT:
    case ORT_INVALID_GRAPH:
    case ORT_INVALID_PROTOBUF:
    case ORT_NO_MODEL:
      return SNUG_INVALID_ARGUMENT;
    case ORT_NO_SUCHFILE:
      return SNUG_NOT_FOUND;
    case ORT_NOT_IMPLEMENTED:
      return SNUG_UNIMPLEMENTED;
    default:
      return SNUG_INTERNAL;
  }
}

}  // namespace

const OrtApi& Open() {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (api != nullptr) return *api;
  auto get = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(OpenLibrary(), "OrtGetApiBase"));
  if (get == nullptr) throw Failure(SNUG_FAILED_PRECONDITION, "ONNX Runtime's library has no OrtGetApiBase");
  base = get();
  api = base->GetApi(ORT_API_VERSION);
  if (api != nullptr) return *api;
  throw Failure(SNUG_FAILED_PRECONDITION, "ONNX Runtime " + Version() + " is too old: its API " +
                                              std::to_string(ORT_API_VERSION) + " is needed");
}

std::string Version() {
  return base == nullptr ? "" : base->GetVersionString();
}

void Check(OrtStatus* status) {
  if (status == nullptr) return;
  const Failure failure(CodeOf(Open().GetErrorCode(status)), Open().GetErrorMessage(status));
  Open().ReleaseStatus(status);
  throw failure;
}

}  // namespace snug::ort
