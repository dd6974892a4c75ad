// System shared memory of clients, after Triton's extension: tensors are read from and written to POSIX
// shared memory that a client has made and registered here under a name.
//
// Regions are read and written by calls (pread, pwrite) and never mapped. A client that shrinks its memory
// would end a server that maps it (SIGBUS), and one that changes a tensor after it was checked would lead the
// engine out of bounds; a copy costs less than what it saves of HTTP or protobuf.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::server {

constexpr size_t kRegionsMax = 1024;
constexpr size_t kRegionNameCharsMax = 256;

struct SharedRegion {
  std::string name;
  std::string key;  // of shm_open: "/input0"
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

// Where a tensor lies: `bytes` at `offset` of a region.
struct SharedPlace {
  std::string region;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

// Thread-safe.
class SharedRegions {
 public:
  // `directory`: where shm_open's keys are files; another one for tests.
  explicit SharedRegions(std::string directory = "/dev/shm") : directory_(std::move(directory)) {}

  // Whoever may connect could have read and written whatever shared memory this process may: so only when
  // asked. Before the first call.
  void Allow(uint64_t request_bytes_max) {
    allowed_ = true;
    request_bytes_max_ = request_bytes_max;
  }
  // What the inputs of one request may take together.
  uint64_t request_bytes_max() const { return request_bytes_max_; }

  // FAILED_PRECONDITION: not allowed here; INVALID_ARGUMENT: no such memory, or it is smaller than said;
  // ALREADY_EXISTS: the name; RESOURCE_EXHAUSTED: kRegionsMax.
  Status Register(const SharedRegion& region);
  // All when empty. OK when it is not there.
  void Unregister(std::string_view name);
  // All when empty. NOT_FOUND.
  Result<std::vector<SharedRegion>> List(std::string_view name) const;

  // INVALID_ARGUMENT: no such region, or the place is not inside.
  Result<Buffer> Read(const SharedPlace& place) const;
  // Writes data, which is not larger than the place.
  Status Write(const SharedPlace& place, const Buffer& data) const;

 private:
  struct Open;
  Result<std::shared_ptr<const Open>> Find(const SharedPlace& place) const;

  const std::string directory_;
  bool allowed_ = false;
  uint64_t request_bytes_max_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Open>, std::less<>> regions_;
};

// UNIMPLEMENTED, for registering CUDA's.
Status CudaUnsupported(std::string_view region);

}  // namespace snug::server
