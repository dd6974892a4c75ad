#include "os/shared_library.h"

#include <dlfcn.h>

namespace snug::os {

Result<std::shared_ptr<const SharedLibrary>> SharedLibrary::Open(const std::string& path) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    return FailedPrecondition("{} cannot be loaded: {}", path,
                              reason != nullptr ? reason : "no reason given");
  }
  return std::shared_ptr<const SharedLibrary>(new SharedLibrary(path, handle));
}

SharedLibrary::~SharedLibrary() {
  ::dlclose(handle_);
}

void* SharedLibrary::Symbol(const char* name) const {
  return ::dlsym(handle_, name);
}

}  // namespace snug::os
