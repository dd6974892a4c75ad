#include "os/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "os/unique_fd.h"

namespace snug::os {
namespace {

std::string Parent(const std::string& path) {
  auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, path);
    content.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

// A rename is durable only when the directory that holds it is.
Status SyncDir(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return ErrnoError(errno, directory);
  return {};
}

Result<UniqueFd> OpenForRead(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, path);
  return fd;
}

}  // namespace

Result<std::string> ReadFile(const std::string& path, uint64_t bytes_max) {
  SNUG_ASSIGN_OR_RETURN(UniqueFd fd, OpenForRead(path));
  std::string content;
  char block[1 << 16];
  for (;;) {
    ssize_t n = ::read(fd.get(), block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, path);
    if (n == 0) return content;
    if (content.size() + static_cast<size_t>(n) > bytes_max) {
      return Error(Code::kResourceExhausted, "{}: larger than {} bytes", path, bytes_max);
    }
    content.append(block, static_cast<size_t>(n));
  }
}

Status WriteFileAtomic(const std::string& path, std::string_view content, unsigned mode) {
  std::string temporary = path + ".XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, path);
  Status status = WriteAll(fd.get(), content, temporary);
  if (status.ok() && (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0))
    status = ErrnoError(errno, path);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) status = ErrnoError(errno, path);
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  return SyncDir(Parent(path));
}

Status MakeDirs(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? ErrnoError(error.value(), path) : Status();
}

Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? ErrnoError(error.value(), path) : Status();
}

Result<std::vector<std::string>> ListDir(const std::string& path) {
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return ErrnoError(errno, path);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

bool IsDirectory(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Status SymlinkAtomic(const std::string& target, const std::string& link) {
  std::string temporary = fmt::format("{}.{}.new", link, ::getpid());
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) return ErrnoError(errno, link);
  if (::rename(temporary.c_str(), link.c_str()) != 0) {
    int error = errno;
    ::unlink(temporary.c_str());
    return ErrnoError(error, link);
  }
  return {};
}

Result<std::string> TailFile(const std::string& path, int lines, uint64_t bytes_max) {
  SNUG_ASSIGN_OR_RETURN(UniqueFd fd, OpenForRead(path));
  off_t size = ::lseek(fd.get(), 0, SEEK_END);
  if (size < 0) return ErrnoError(errno, path);
  auto length = std::min(static_cast<uint64_t>(size), bytes_max);
  std::string tail(length, '\0');
  ssize_t n = ::pread(fd.get(), tail.data(), length, size - static_cast<off_t>(length));
  if (n < 0) return ErrnoError(errno, path);
  tail.resize(static_cast<size_t>(n));
  size_t at = tail.size();
  if (at > 0 && tail[at - 1] == '\n') --at;
  for (int i = 0; i < lines && at != std::string::npos; ++i)
    at = at == 0 ? std::string::npos : tail.rfind('\n', at - 1);
  return at == std::string::npos ? tail : tail.substr(at + 1);
}

}  // namespace snug::os
