#include "controller/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <vector>

#include "os/files.h"
#include "os/unique_fd.h"

namespace snug::controller {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBlockBytes = 1 << 18;
constexpr size_t kPathPartCharsMax = 255;

struct ArchiveCloser {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Archive = std::unique_ptr<archive, ArchiveCloser>;

Status Broken(archive* a, const char* what) {
  const char* text = archive_error_string(a);
  return InvalidArgument("the upload is not a whole tar: {} ({}); send the output of `tar -c`, plain or gzip",
                         what, text == nullptr ? "no details" : text);
}

class Unpacker {
 public:
  Unpacker(archive* a, const std::string& directory, const UploadLimits& limits)
      : archive_(a), directory_(directory), limits_(limits), block_(kBlockBytes) {}

  Status Run() {
    archive_entry* entry = nullptr;
    for (;;) {
      int code = archive_read_next_header(archive_, &entry);
      if (code == ARCHIVE_EOF) break;
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return Broken(archive_, "bad header");
      SNUG_RETURN_IF_ERROR(Take(entry));
    }
    for (const std::string& made : directories_) SNUG_RETURN_IF_ERROR(Sync(made));
    return Sync(directory_);
  }

 private:
  Status Take(archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr) return InvalidArgument("the upload holds an entry whose name is not text");
    SNUG_ASSIGN_OR_RETURN(std::string path, CheckEntryPath(raw, limits_.depth_max));
    bool linked = archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr;
    auto type = archive_entry_filetype(entry);
    if (linked || (type != AE_IFREG && type != AE_IFDIR)) {
      return InvalidArgument(
          "the upload holds {}, which is a link or a device; only files and directories are taken "
          "(tar's option --dereference replaces links by what they point to)",
          path);
    }
    if (++entries_ > limits_.files_max) {
      return Error(Code::kResourceExhausted, "the upload holds more than {} files", limits_.files_max);
    }
    if (type == AE_IFDIR) return MakeDirectory(path);
    if (path.empty()) return InvalidArgument("the upload holds a file without a name");
    SNUG_RETURN_IF_ERROR(MakeDirectory(fs::path(path).parent_path().string()));
    return WriteFile(path);
  }

  Status MakeDirectory(const std::string& path) {
    if (path.empty()) return {};
    std::string full = directory_ + "/" + path;
    SNUG_RETURN_IF_ERROR(os::MakeDirs(full).Annotate("unpacking the upload"));
    directories_.insert(full);
    return {};
  }

  Status WriteFile(const std::string& path) {
    std::string full = directory_ + "/" + path;
    os::UniqueFd fd(::open(full.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd.valid() && errno == EEXIST) return InvalidArgument("the upload holds {} twice", path);
    if (!fd.valid()) return ErrnoError(errno, path);
    for (;;) {
      la_ssize_t n = archive_read_data(archive_, block_.data(), block_.size());
      if (n == 0) break;
      if (n < 0) return Broken(archive_, "bad data");
      bytes_ += static_cast<uint64_t>(n);
      if (bytes_ > limits_.bytes_max) {
        return Error(Code::kResourceExhausted, "the upload unpacks to more than {} bytes", limits_.bytes_max);
      }
      SNUG_RETURN_IF_ERROR(WriteAll(fd.get(), static_cast<size_t>(n), path));
    }
    if (::fsync(fd.get()) != 0) return ErrnoError(errno, path);
    return {};
  }

  Status WriteAll(int fd, size_t bytes, const std::string& path) {
    for (size_t done = 0; done < bytes;) {
      ssize_t n = ::write(fd, block_.data() + done, bytes - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoError(errno, path);
      done += static_cast<size_t>(n);
    }
    return {};
  }

  Status Sync(const std::string& directory) {
    os::UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid() || ::fsync(fd.get()) != 0) return ErrnoError(errno, directory);
    return {};
  }

  archive* archive_;
  const std::string& directory_;
  const UploadLimits& limits_;
  std::vector<char> block_;
  std::set<std::string> directories_;
  uint64_t bytes_ = 0;
  int entries_ = 0;
};

struct DigestCloser {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void Add(const void* data, size_t bytes) { EVP_DigestUpdate(context_.get(), data, bytes); }
  std::string Hex() {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(context_.get(), hash, &length);
    std::string text;
    for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", hash[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, DigestCloser> context_;
};

Status AddFile(const std::string& path, Sha256* digest, uint64_t* bytes) {
  os::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(errno, path);
  std::vector<char> block(kBlockBytes);
  for (;;) {
    ssize_t n = ::read(fd.get(), block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, path);
    if (n == 0) return {};
    digest->Add(block.data(), static_cast<size_t>(n));
    *bytes += static_cast<uint64_t>(n);
  }
}

}  // namespace

Result<std::string> CheckEntryPath(std::string_view path, int depth_max) {
  if (path.starts_with("/")) return InvalidArgument("the upload holds the absolute path {}", path);
  std::string clean;
  int depth = 0;
  while (!path.empty()) {
    size_t end = std::min(path.find('/'), path.size());
    std::string_view part = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") return InvalidArgument("the upload holds a path with \"..\"");
    if (part.size() > kPathPartCharsMax)
      return InvalidArgument("the upload holds a name of over {} characters", kPathPartCharsMax);
    if (++depth > depth_max)
      return InvalidArgument("the upload is nested deeper than {} directories", depth_max);
    clean.append(clean.empty() ? "" : "/").append(part);
  }
  return clean;
}

Status UnpackTar(const std::string& tar_file, const std::string& directory, const UploadLimits& limits) {
  Archive a(archive_read_new());
  archive_read_support_format_tar(a.get());
  archive_read_support_filter_gzip(a.get());
  if (archive_read_open_filename(a.get(), tar_file.c_str(), kBlockBytes) != ARCHIVE_OK) {
    return Broken(a.get(), "it cannot be opened");
  }
  return Unpacker(a.get(), directory, limits).Run();
}

Result<TreeDigest> DigestTree(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (it->is_regular_file(error)) files.push_back(fs::relative(it->path(), directory, error).string());
  }
  if (error) return Internal("{}: {}", directory, error.message());
  std::ranges::sort(files);
  Sha256 all;
  TreeDigest digest;
  for (const std::string& file : files) {
    Sha256 one;
    uint64_t bytes = 0;
    SNUG_RETURN_IF_ERROR(AddFile(directory + "/" + file, &one, &bytes));
    std::string line = fmt::format("{} {} {}\n", one.Hex(), bytes, file);
    all.Add(line.data(), line.size());
    digest.bytes += bytes;
    ++digest.files;
  }
  digest.text = "sha256:" + all.Hex();
  return digest;
}

}  // namespace snug::controller
