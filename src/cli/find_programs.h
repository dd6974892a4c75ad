// Where the programs lie that `snug up` starts.
#pragma once

#include <string>

#include "base/status.h"

namespace snug::cli {

// A program beside this one. NOT_FOUND with the path tried.
Result<std::string> FindSister(const std::string& name, const std::string& self_path);

// Envoy, the front door: `given` (--envoy or SNUG_ENVOY) when not empty; else beside the program and in the
// install tree's lib/snug; else in the build's Python environment, upwards from the program; else in
// `path_variable` (PATH). NOT_FOUND says how to get it.
Result<std::string> FindEnvoy(const std::string& given, const std::string& self_path,
                              const std::string& path_variable);

}  // namespace snug::cli
