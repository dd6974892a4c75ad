// Reads a text file whole, gzipped or not.
#pragma once

#include <string>

#include "base/status.h"

namespace snug::simulate {

inline constexpr size_t kTraceBytesMax = size_t{1} << 30;  // unpacked

// NOT_FOUND, DATA_LOSS (broken gzip) or RESOURCE_EXHAUSTED (more than bytes_max) with the path in the text.
Result<std::string> ReadMaybeGzip(const std::string& path, size_t bytes_max = kTraceBytesMax);
// The same for bytes in memory.
Result<std::string> UnpackMaybeGzip(std::string_view bytes, size_t bytes_max = kTraceBytesMax);

}  // namespace snug::simulate
