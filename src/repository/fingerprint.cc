#include "repository/fingerprint.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "os/file_tree.h"

namespace snug::repository {
namespace {

// FNV-1a: told apart are honest changes, not forged ones.
class Hash {
 public:
  void Add(std::string_view bytes) {
    for (unsigned char byte : bytes) state_ = (state_ ^ byte) * 0x100000001b3ULL;
    AddNumber(bytes.size());
  }
  void AddNumber(uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8)
      state_ = (state_ ^ ((number >> shift) & 0xff)) * 0x100000001b3ULL;
  }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_ = 0xcbf29ce484222325ULL;
};

bool IsByProduct(std::string_view path) {
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    if (name.starts_with('.') || name == "__pycache__") return true;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return false;
}

}  // namespace

Result<Fingerprint> TakeFingerprint(const std::string& path) {
  std::error_code error;
  const std::string real = std::filesystem::canonical(path, error).string();
  if (error) return ErrnoError(error.value(), path);
  SNUG_ASSIGN_OR_RETURN(const std::vector<os::FileStamp> files, os::ListTree(real, kVersionFilesMax));
  Hash hash;
  hash.Add(real);  // a link that leads elsewhere is a change
  int64_t newest_ns = 0;
  for (const os::FileStamp& file : files) {
    if (IsByProduct(file.name)) continue;
    hash.Add(file.name);
    hash.AddNumber(file.inode);
    hash.AddNumber(file.bytes);
    hash.AddNumber(static_cast<uint64_t>(file.modified_ns));
    hash.AddNumber(static_cast<uint64_t>(file.changed_ns));
    newest_ns = std::max(newest_ns, file.changed_ns);
  }
  return Fingerprint{hash.value(), static_cast<double>(newest_ns) * 1e-9};
}

}  // namespace snug::repository
