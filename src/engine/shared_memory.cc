#include "engine/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>

namespace snug::engine {
namespace {

constexpr uint64_t kRegionBytesMin = 64 << 10;

Result<char*> MapFd(int fd, uint64_t bytes) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return ErrnoError(errno, fmt::format("map {} bytes of shared memory", bytes));
  return static_cast<char*>(data);
}

}  // namespace

uint64_t RegionBytes(uint64_t needed) {
  if (needed <= kRegionBytesMin) return kRegionBytesMin;
  // Steps of an eighth of the power of two above: at most 25 % more than needed.
  uint64_t step = std::bit_ceil(needed) / 8;
  return (needed + step - 1) / step * step;
}

Result<std::shared_ptr<SharedMemory>> SharedMemory::Create(uint64_t bytes) {
  os::UniqueFd fd(::memfd_create("snug-tensors", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return ErrnoError(errno, "create shared memory");
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return ErrnoError(errno, fmt::format("size shared memory of {} bytes", bytes));
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return ErrnoError(errno, "seal shared memory");
  }
  SNUG_ASSIGN_OR_RETURN(char* data, MapFd(fd.get(), bytes));
  return std::shared_ptr<SharedMemory>(new SharedMemory(std::move(fd), data, bytes));
}

Result<std::shared_ptr<SharedMemory>> SharedMemory::Map(os::UniqueFd fd) {
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return ErrnoError(errno, "look at shared memory");
  int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
    return FailedPrecondition("shared memory that may shrink is refused");
  auto bytes = static_cast<uint64_t>(about.st_size);
  SNUG_ASSIGN_OR_RETURN(char* data, MapFd(fd.get(), bytes));
  return std::shared_ptr<SharedMemory>(new SharedMemory(std::move(fd), data, bytes));
}

SharedMemory::~SharedMemory() {
  ::munmap(data_, bytes_);
}

}  // namespace snug::engine
