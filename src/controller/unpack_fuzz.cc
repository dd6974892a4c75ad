// Hostile tars: nothing may be written outside of the directory, and limits hold.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "controller/unpack.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string root = [] {
    std::string name = (std::filesystem::temp_directory_path() / "unpack_fuzzXXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    return name;
  }();
  std::string inside = root + "/in";
  std::filesystem::create_directories(inside);
  int fd = ::memfd_create("tar", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, data, size) < 0) std::abort();
  snug::controller::UploadLimits limits{.bytes_max = 1 << 16, .files_max = 16, .depth_max = 4};
  (void)snug::controller::UnpackTar("/proc/self/fd/" + std::to_string(fd), inside, limits);
  (void)snug::controller::DigestTree(inside);
  ::close(fd);
  std::filesystem::remove_all(inside);
  if (!std::filesystem::is_empty(root)) std::abort();  // something escaped
  return 0;
}
