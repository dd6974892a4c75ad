// What a directory holds, file by file, without reading any: to see whether it has changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace snug::os {

struct FileStamp {
  std::string name;  // relative to the root
  uint64_t inode = 0;
  uint64_t bytes = 0;
  int64_t modified_ns = 0;  // since 1970
  int64_t changed_ns = 0;   // of contents or attributes; no writer can set it back
};

// All files below `root` (or `root` itself when it is one), sorted by name. Links count as what they lead to;
// links to directories below the root are not followed but count as files. RESOURCE_EXHAUSTED: more than
// files_max entries or kTreeDepthMax levels.
Result<std::vector<FileStamp>> ListTree(const std::string& root, size_t files_max);

inline constexpr int kTreeDepthMax = 32;

}  // namespace snug::os
