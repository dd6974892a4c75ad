// A shared library, opened with RTLD_LOCAL | RTLD_NOW and closed with its last owner: plug-ins do not see
// each other's symbols, and a missing one shows at once.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace snug::os {

// Thread-safe. What came out of the library must not be used after this is destroyed.
class SharedLibrary {
 public:
  // FAILED_PRECONDITION with the loader's own text when the file is not a library that loads here.
  static Result<std::shared_ptr<const SharedLibrary>> Open(const std::string& path);
  ~SharedLibrary();
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;

  const std::string& path() const { return path_; }
  // nullptr when the library does not export it.
  void* Symbol(const char* name) const;

 private:
  SharedLibrary(std::string path, void* handle) : path_(std::move(path)), handle_(handle) {}

  std::string path_;
  void* handle_;
};

}  // namespace snug::os
