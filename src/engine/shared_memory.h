// Memory that two processes see: a sealed memfd, mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "os/unique_fd.h"

namespace snug::engine {

constexpr size_t kSharedAlignment = 64;  // of each tensor in it

inline uint64_t AlignShared(uint64_t bytes) {
  return (bytes + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment;
}

// The size to make a region that must hold `needed` bytes: whole pages, with room to grow, so that slowly
// growing requests do not make a new region each.
uint64_t RegionBytes(uint64_t needed);

// Unmapped when destroyed. The descriptor may be sent to another process any number of times.
class SharedMemory {
 public:
  // A new region of zeros that nobody can shrink: a peer cannot take pages from under us.
  static Result<std::shared_ptr<SharedMemory>> Create(uint64_t bytes);
  // A peer's region. FAILED_PRECONDITION when it could still shrink.
  static Result<std::shared_ptr<SharedMemory>> Map(os::UniqueFd fd);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  char* data() const { return data_; }
  uint64_t size() const { return bytes_; }
  int fd() const { return fd_.get(); }
  // Whether [offset, offset + bytes) lies inside.
  bool Contains(uint64_t offset, uint64_t bytes) const {
    return offset <= bytes_ && bytes <= bytes_ - offset;
  }

 private:
  SharedMemory(os::UniqueFd fd, char* data, uint64_t bytes)
      : fd_(std::move(fd)), data_(data), bytes_(bytes) {}

  os::UniqueFd fd_;
  char* data_;
  uint64_t bytes_;
};

}  // namespace snug::engine
