// Tars from outside, unpacked with suspicion; and the digest of a tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "controller/store.h"

namespace snug::controller {

// Unpacks into `directory`, which exists and is empty. Every file is synced. See Store::Unpack for the
// errors; what was unpacked before an error is left for the caller to remove.
Status UnpackTar(const std::string& tar_file, const std::string& directory, const UploadLimits& limits);

// The path of an entry, checked: relative, no "..", no empty or overlong part. "./a//b/" becomes "a/b"; the
// root itself becomes "".
Result<std::string> CheckEntryPath(std::string_view path, int depth_max);

struct TreeDigest {
  std::string text;  // "sha256:…" over the sorted names, sizes and contents of all files
  uint64_t bytes = 0;
  int files = 0;
};
Result<TreeDigest> DigestTree(const std::string& directory);

}  // namespace snug::controller
