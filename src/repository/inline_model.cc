#include "repository/inline_model.h"

#include <limits.h>
#include <stdlib.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "os/files.h"
#include "repository/limits.h"

namespace snug::repository {
namespace {

// Removed with its last owner.
class OwnDirectory {
 public:
  explicit OwnDirectory(std::string path) : path_(std::move(path)) {}
  ~OwnDirectory() {
    Status removed = os::RemoveTree(path_);
    if (!removed.ok()) log::Warning("files of a load call are left over", {{"reason", removed.ToString()}});
  }
  OwnDirectory(const OwnDirectory&) = delete;
  OwnDirectory& operator=(const OwnDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

std::vector<std::string_view> Components(std::string_view path) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Status CheckPath(const std::string& path) {
  if (path == "model.yaml") return {};
  const auto parts = Components(path);
  for (std::string_view part : parts) {
    if (part.size() > NAME_MAX) return ErrnoError(ENAMETOOLONG, fmt::format("file:{}", part.substr(0, 40)));
    if (part.empty() || part == "." || part == ".." || part.find('\0') != std::string_view::npos)
      return InvalidArgument("file:{}: a path must not have empty parts, \".\" or \"..\"", path);
  }
  if (parts.size() < 2 || parts.size() > kInlineDepthMax || !ParseVersion(parts[0]).ok()) {
    return InvalidArgument(
        "file:{}: expected file:VERSION/NAME (as file:1/model.onnx, at most {} deep) or file:model.yaml",
        path, kInlineDepthMax);
  }
  return {};
}

Status WriteFile(const std::string& directory, const std::string& path, const std::string& content) {
  const std::string target = directory + "/" + path;
  SNUG_RETURN_IF_ERROR(os::MakeDirs(target.substr(0, target.rfind('/'))));
  return os::WriteFileAtomic(target, content);
}

}  // namespace

Result<ModelEntry> ReadInlineModel(const std::string& parent, const std::string& name,
                                   const InlineFiles& files) {
  SNUG_RETURN_IF_ERROR(CheckModelName(name));
  if (files.size() > kInlineFilesMax) {
    return InvalidArgument("{} files with one load, at most {} are possible", files.size(), kInlineFilesMax);
  }
  for (const auto& [path, unused] : files) SNUG_RETURN_IF_ERROR(CheckPath(path));
  std::string pattern = parent + "/snug-model-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return ErrnoError(errno, pattern);
  auto directory = std::make_shared<OwnDirectory>(std::move(pattern));
  for (const auto& [path, content] : files) {
    SNUG_RETURN_IF_ERROR(WriteFile(directory->path() + "/" + name, path, content));
  }
  SNUG_ASSIGN_OR_RETURN(ModelEntry entry, ReadModel(directory->path(), name));
  entry.keeper = std::move(directory);
  return entry;
}

}  // namespace snug::repository
