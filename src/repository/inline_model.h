// A model that came with a load call instead of lying in the repository.
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "repository/repository.h"

namespace snug::repository {

// "1/model.onnx", "1/variables/index" or "model.yaml" -> content.
using InlineFiles = std::map<std::string, std::string>;

// Writes the files into a directory of their own below `parent` and reads them as ReadModel would. The
// directory goes with the last copy of the entry's `keeper`. INVALID_ARGUMENT: a path that is none of the
// above, leaves the directory, or too many files; what a file system refuses comes with its own code.
Result<ModelEntry> ReadInlineModel(const std::string& parent, const std::string& name,
                                   const InlineFiles& files);

}  // namespace snug::repository
