#include "server/shared_memory.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "os/unique_fd.h"

namespace snug::server {
namespace {

// A key names a file of one directory and nothing else.
Result<std::string> FileOf(const std::string& key) {
  const std::string name = key.starts_with('/') ? key.substr(1) : key;
  const bool fits = !name.empty() && name.size() <= NAME_MAX && name != "." && name != ".." &&
                    name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
  if (fits) return name;
  return InvalidArgument(
      "shared memory key \"{}\": expected a name as shm_open takes it, \"/\" and 1 to {} characters without "
      "a further \"/\"",
      key.substr(0, NAME_MAX), NAME_MAX);
}

Result<os::UniqueFd> OpenMemory(const std::string& directory, const SharedRegion& region) {
  SNUG_ASSIGN_OR_RETURN(const std::string name, FileOf(region.key));
  // Not blocking: should it be a pipe, opening must not wait for its other end.
  os::UniqueFd fd(
      ::open((directory + "/" + name).c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  const int error = errno;
  if (!fd.valid())
    return InvalidArgument("Unable to open shared memory region: '{}': {}", region.key,
                           ErrnoError(error, region.key).text());
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return InvalidArgument("Unable to open shared memory region: '{}': it is no shared memory", region.key);
  const auto size = static_cast<uint64_t>(status.st_size);
  if (region.bytes > size || region.offset > size - region.bytes) {
    return InvalidArgument(
        "failed to register shared memory region '{}': {} bytes from {} are not inside '{}', which has {}",
        region.name, region.bytes, region.offset, region.key, size);
  }
  return fd;
}

}  // namespace

struct SharedRegions::Open {
  SharedRegion region;
  os::UniqueFd fd;
};

Status SharedRegions::Register(const SharedRegion& region) {
  if (!allowed_) {
    return FailedPrecondition(
        "shared memory of clients is not allowed here; start the server with --client-shared-memory");
  }
  if (region.name.empty() || region.name.size() > kRegionNameCharsMax)
    return InvalidArgument("a region's name must have 1 to {} characters", kRegionNameCharsMax);
  if (region.bytes == 0) return InvalidArgument("region '{}': byte_size must be above 0", region.name);
  SNUG_ASSIGN_OR_RETURN(os::UniqueFd fd, OpenMemory(directory_, region));
  std::lock_guard lock(mutex_);
  if (regions_.contains(region.name))
    return Error(Code::kAlreadyExists, "shared memory region '{}' already in manager", region.name);
  if (regions_.size() >= kRegionsMax) {
    return Error(Code::kResourceExhausted, "{} regions are registered, no more are possible", kRegionsMax);
  }
  regions_[region.name] = std::make_shared<const Open>(Open{region, std::move(fd)});
  return {};
}

void SharedRegions::Unregister(std::string_view name) {
  std::lock_guard lock(mutex_);
  if (name.empty()) return regions_.clear();
  if (auto found = regions_.find(name); found != regions_.end()) regions_.erase(found);
}

Result<std::vector<SharedRegion>> SharedRegions::List(std::string_view name) const {
  std::vector<SharedRegion> regions;
  std::lock_guard lock(mutex_);
  for (const auto& [own, open] : regions_) {
    if (name.empty() || own == name) regions.push_back(open->region);
  }
  if (regions.empty() && !name.empty())
    return NotFound("Unable to find system shared memory region: '{}'", name);
  return regions;
}

Result<std::shared_ptr<const SharedRegions::Open>> SharedRegions::Find(const SharedPlace& place) const {
  std::shared_ptr<const Open> open;
  {
    std::lock_guard lock(mutex_);
    auto found = regions_.find(place.region);
    if (found != regions_.end()) open = found->second;
  }
  if (!open) return InvalidArgument("Unable to find shared memory region: '{}'", place.region);
  const uint64_t size = open->region.bytes;
  if (place.bytes <= size && place.offset <= size - place.bytes) return open;
  return InvalidArgument("Invalid offset + byte size for shared memory region: '{}': {} bytes from {} of {}",
                         place.region, place.bytes, place.offset, size);
}

Result<Buffer> SharedRegions::Read(const SharedPlace& place) const {
  SNUG_ASSIGN_OR_RETURN(const std::shared_ptr<const Open> open, Find(place));
  Buffer buffer = Buffer::Allocate(place.bytes);
  auto* data = static_cast<char*>(buffer.data());
  for (uint64_t done = 0; done < place.bytes;) {
    const ssize_t n = ::pread(open->fd.get(), data + done, place.bytes - done,
                              static_cast<off_t>(open->region.offset + place.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return InvalidArgument("shared memory region '{}' has become smaller", place.region);
    done += static_cast<uint64_t>(n);
  }
  return buffer;
}

Status SharedRegions::Write(const SharedPlace& place, const Buffer& data) const {
  SNUG_ASSIGN_OR_RETURN(const std::shared_ptr<const Open> open, Find(place));
  const auto* bytes = static_cast<const char*>(data.data());
  for (uint64_t done = 0; done < data.size();) {
    const ssize_t n = ::pwrite(open->fd.get(), bytes + done, data.size() - done,
                               static_cast<off_t>(open->region.offset + place.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return ErrnoError(errno, fmt::format("shared memory region '{}'", place.region));
    done += static_cast<uint64_t>(n);
  }
  return {};
}

Status CudaUnsupported(std::string_view region) {
  return Error(Code::kUnimplemented,
               "failed to register CUDA shared memory region: '{}': this server executes on CPUs; register "
               "system shared memory",
               region);
}

}  // namespace snug::server
