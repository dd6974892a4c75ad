// The options that the host hands to an engine's load. Pure.
#pragma once

#include <string>

#include "base/status.h"

namespace snug::engine {

// The model's options with the host's grants added: {"precision":"bf16","threads":1,"instances":2}.
// INVALID_ARGUMENT when `options_json` is not a JSON object or sets a grant itself.
Result<std::string> MergeOptions(const std::string& options_json, int threads, int instances);

}  // namespace snug::engine
