#include "cli/model_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "cli/limits.h"
#include "os/files.h"
#include "os/unique_fd.h"
#include "repository/layout.h"

namespace snug::cli {
namespace {

namespace fs = std::filesystem;
using repository::Layout;
using repository::LayoutKind;

using ArchiveHandle = std::unique_ptr<archive, int (*)(archive*)>;
using EntryHandle = std::unique_ptr<archive_entry, void (*)(archive_entry*)>;

std::string VersionList(const std::map<int64_t, std::string>& versions) {
  std::string text;
  for (const auto& [version, directory] : versions)
    text += (text.empty() ? "" : ", ") + std::to_string(version);
  return text;
}

}  // namespace

// Writes one archive.
class ArchiveWriter {
 public:
  static Result<ModelArchive> Write(const Layout& layout, const std::string& directory) {
    ModelArchive result;
    ArchiveWriter writer(result);
    SNUG_RETURN_IF_ERROR(writer.Open());
    SNUG_RETURN_IF_ERROR(writer.AddChosen(layout, directory));
    SNUG_RETURN_IF_ERROR(writer.Close());
    if (result.files_ == 0) return InvalidArgument("{} holds no files", directory);
    return result;
  }

 private:
  explicit ArchiveWriter(ModelArchive& result)
      : result_(result), tar_(archive_write_new(), archive_write_free) {}

  Status Open() {
    std::error_code error;
    fs::path dir = fs::temp_directory_path(error);
    if (error) return FailedPrecondition("no temporary directory (TMPDIR): {}", error.message());
    std::string name = (dir / "snug-deploy-XXXXXX").string();
    fd_.Reset(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd_.valid()) return ErrnoError(errno, name);
    result_.file_ = name;
    archive_write_set_format_pax_restricted(tar_.get());
    archive_write_set_bytes_per_block(tar_.get(), 1 << 20);
    archive_write_set_bytes_in_last_block(tar_.get(), 1);
    if (archive_write_open_fd(tar_.get(), fd_.get()) != ARCHIVE_OK) return TarError("open");
    return {};
  }

  Status Close() { return archive_write_close(tar_.get()) == ARCHIVE_OK ? Status() : TarError("close"); }

  Status TarError(const char* step) const {
    const char* text = archive_error_string(tar_.get());
    return Error(Code::kInternal, "cannot {} {}: {}", step, result_.file_,
                 text == nullptr ? "unknown" : text);
  }

  // A version's directory, with the model.yaml that stands above it; or named files alone; or everything.
  Status AddChosen(const Layout& layout, const std::string& directory) {
    if (layout.kind == LayoutKind::kVersions && !layout.model_yaml.empty()) {
      SNUG_RETURN_IF_ERROR(AddFile(layout.model_yaml, "model.yaml"));
    }
    if (layout.files.empty() || layout.kind == LayoutKind::kVersions) return AddTree(directory, "", 0);
    for (const auto& name : layout.files) SNUG_RETURN_IF_ERROR(AddFile(directory + "/" + name, name));
    return {};
  }

  Status AddTree(const std::string& directory, const std::string& prefix, int depth) {
    if (depth > kArchiveDepthMax) {
      return InvalidArgument("{}: more than {} levels deep (a link that leads back to itself?)", directory,
                             kArchiveDepthMax);
    }
    SNUG_ASSIGN_OR_RETURN(auto names, os::ListDir(directory));
    for (const auto& name : names) {
      if (name.starts_with(".")) continue;
      std::string path = directory + "/" + name;
      std::string inside = prefix + name;
      Status added = os::IsDirectory(path) ? AddTree(path, inside + "/", depth + 1) : AddFile(path, inside);
      SNUG_RETURN_IF_ERROR(added);
    }
    return {};
  }

  Status CheckLimits(const std::string& path, uint64_t bytes) const {
    if (result_.files_ >= kArchiveFilesMax) {
      return Error(Code::kResourceExhausted, "{}: more than {} files: is this the model's own directory?",
                   path, kArchiveFilesMax);
    }
    if (bytes > kArchiveBytesMax - result_.bytes_) {
      return Error(Code::kResourceExhausted, "{}: the model is larger than {} bytes", path, kArchiveBytesMax);
    }
    return {};
  }

  Status AddFile(const std::string& path, const std::string& inside) {
    // Not blocking: a pipe would wait for its writer.
    os::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid()) return ErrnoError(errno, path);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) return ErrnoError(errno, path);
    if (!S_ISREG(info.st_mode))
      return InvalidArgument("{} is not a regular file: take it out of the directory", path);
    auto bytes = static_cast<uint64_t>(info.st_size);
    SNUG_RETURN_IF_ERROR(CheckLimits(path, bytes));
    SNUG_RETURN_IF_ERROR(AddHeader(inside, info));
    SNUG_RETURN_IF_ERROR(Copy(file.get(), path, bytes));
    ++result_.files_;
    result_.bytes_ += bytes;
    return {};
  }

  Status AddHeader(const std::string& inside, const struct stat& info) {
    EntryHandle entry(archive_entry_new(), archive_entry_free);
    archive_entry_set_pathname(entry.get(), inside.c_str());
    archive_entry_set_size(entry.get(), info.st_size);
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    return archive_write_header(tar_.get(), entry.get()) == ARCHIVE_OK ? Status() : TarError("write");
  }

  Status Copy(int fd, const std::string& path, uint64_t bytes) {
    std::vector<char> buffer(1 << 20);
    while (bytes > 0) {
      ssize_t n = ::read(fd, buffer.data(), std::min<uint64_t>(bytes, buffer.size()));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoError(errno, path);
      if (n == 0) return Error(Code::kAborted, "{} became shorter while it was read: try again", path);
      if (archive_write_data(tar_.get(), buffer.data(), static_cast<size_t>(n)) != n)
        return TarError("write");
      bytes -= static_cast<uint64_t>(n);
    }
    return {};
  }

  ModelArchive& result_;
  os::UniqueFd fd_;
  ArchiveHandle tar_;
};

ModelArchive::ModelArchive(ModelArchive&& other) noexcept
    : file_(std::exchange(other.file_, {})),
      kind_(std::move(other.kind_)),
      version_(other.version_),
      files_(other.files_),
      bytes_(other.bytes_) {}

ModelArchive::~ModelArchive() {
  if (!file_.empty()) ::unlink(file_.c_str());
}

Result<ModelArchive> ModelArchive::Pack(const std::string& path, const std::string& engine,
                                        std::optional<int64_t> wanted) {
  SNUG_ASSIGN_OR_RETURN(Layout layout, repository::DetectLayout(path));
  if (layout.kind == LayoutKind::kOther && engine == "auto") {
    return InvalidArgument("{} (if an engine knows these files all the same, name it with --engine)",
                           layout.problem);
  }
  std::string directory = layout.directory;
  std::optional<int64_t> version;
  if (layout.kind == LayoutKind::kVersions) {
    auto chosen = wanted ? layout.versions.find(*wanted) : std::prev(layout.versions.end());
    if (chosen == layout.versions.end()) {
      return NotFound("{} has no version {}; it has {}", path, *wanted, VersionList(layout.versions));
    }
    version = chosen->first;
    directory = chosen->second;
  }
  SNUG_ASSIGN_OR_RETURN(ModelArchive archive, ArchiveWriter::Write(layout, directory));
  archive.kind_ = repository::LayoutName(layout.kind);
  archive.version_ = version;
  return archive;
}

}  // namespace snug::cli
