// What a model's directory holds, as one value: equal digests are equal files.
#pragma once

#include <string>

namespace snug::kit {

// SHA-256 over the names and contents of all files below `directory`. Throws Failure when one cannot be read.
std::string DirectoryDigest(const std::string& directory);

}  // namespace snug::kit
