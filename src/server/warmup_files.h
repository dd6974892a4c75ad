// The requests in a version's directory `warmup`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "serving/warmup.h"

namespace snug::server {

constexpr size_t kWarmupRequestsMax = 1000;                    // of a version
constexpr uint64_t kWarmupFileBytesMax = uint64_t{256} << 20;  // of one file

// In the order of the files' names: NAME.json is KServe v2's infer as JSON, NAME.records holds recorded
// requests, any other file is a payload for the model's parser. None when there is no such directory. Errors
// name the file.
Result<std::vector<serving::WarmupRequest>> ReadWarmupFiles(const std::string& directory);

}  // namespace snug::server
