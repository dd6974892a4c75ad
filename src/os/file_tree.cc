#include "os/file_tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "os/files.h"

namespace snug::os {
namespace {

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

class Walk {
 public:
  Walk(const std::string& root, size_t files_max) : root_(root), files_max_(files_max) {}

  Status Enter(const std::string& name, int depth) {
    const std::string path = name.empty() ? root_ : root_ + "/" + name;
    struct stat own {};
    // Of the root and of files it counts what a link leads to.
    if (::lstat(path.c_str(), &own) != 0) return Gone(path);
    const bool is_link = S_ISLNK(own.st_mode);
    struct stat at = own;
    if (is_link && ::stat(path.c_str(), &at) != 0) at = own;
    if (!S_ISDIR(at.st_mode) || (is_link && !name.empty())) return Add(name, at);
    if (depth > kTreeDepthMax)
      return Error(Code::kResourceExhausted, "{}: more than {} levels", root_, kTreeDepthMax);
    SNUG_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(path));
    for (const std::string& inner : names) {
      SNUG_RETURN_IF_ERROR(Enter(name.empty() ? inner : name + "/" + inner, depth + 1));
    }
    return {};
  }

  std::vector<FileStamp> Take() {
    std::sort(files_.begin(), files_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return std::move(files_);
  }

 private:
  Status Add(const std::string& name, const struct stat& at) {
    if (files_.size() >= files_max_)
      return Error(Code::kResourceExhausted, "{}: more than {} files", root_, files_max_);
    files_.push_back({name, at.st_ino, static_cast<uint64_t>(at.st_size), Nanoseconds(at.st_mtim),
                      Nanoseconds(at.st_ctim)});
    return {};
  }

  // A file may go while the tree is read; the root may not.
  Status Gone(const std::string& path) const {
    return errno == ENOENT && path != root_ ? Status() : ErrnoError(errno, path);
  }

  const std::string& root_;
  const size_t files_max_;
  std::vector<FileStamp> files_;
};

}  // namespace

Result<std::vector<FileStamp>> ListTree(const std::string& root, size_t files_max) {
  Walk walk(root, files_max);
  SNUG_RETURN_IF_ERROR(walk.Enter("", 0));
  return walk.Take();
}

}  // namespace snug::os
