// Files: whole reads, atomic durable writes, and directories that never escape their root.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace snug::os {

// RESOURCE_EXHAUSTED when the file is larger than bytes_max.
Result<std::string> ReadFile(const std::string& path, uint64_t bytes_max = uint64_t{64} << 20);
// Writes beside the file, fsyncs, renames: after a crash the old or the new content is there, whole.
Status WriteFileAtomic(const std::string& path, std::string_view content, unsigned mode = 0644);
Status MakeDirs(const std::string& path);
// Deletes a tree; OK when it is not there. Does not follow links.
Status RemoveTree(const std::string& path);
// Names in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> ListDir(const std::string& path);
bool IsDirectory(const std::string& path);
bool Exists(const std::string& path);
// Creates or replaces a symbolic link atomically.
Status SymlinkAtomic(const std::string& target, const std::string& link);
// The last `lines` lines of a log, read from its end, at most bytes_max bytes.
Result<std::string> TailFile(const std::string& path, int lines, uint64_t bytes_max = uint64_t{1} << 20);

}  // namespace snug::os
