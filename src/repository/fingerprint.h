// Whether a model's files are those seen before, told from their names, sizes and times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"

namespace snug::repository {

inline constexpr size_t kVersionFilesMax = 100'000;

struct Fingerprint {
  uint64_t digest = 0;
  double newest_change = 0;  // seconds since 1970, by the file system's clock; 0: no file

  bool operator==(const Fingerprint&) const = default;
};

// Of a directory with all below it, or of a file; what it leads to when it is a link. Left out is what
// loading a model may write beside it: names that begin with '.', and __pycache__.
Result<Fingerprint> TakeFingerprint(const std::string& path);

}  // namespace snug::repository
