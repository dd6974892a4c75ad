// The names of a model's classes, from a text file among its own: what Triton calls label_filename.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace snug::repository {

// By output: the name of class 0, of class 1, …
using ClassLabels = std::map<std::string, std::vector<std::string>>;

// A line each; without its line end. The last line may lack one.
std::vector<std::string> SplitLabels(std::string_view text);

// Reads the file of each output: of the version's directory, else of the model's, which holds those that all
// versions share. `files`: output -> file, checked by CheckClassFile. NOT_FOUND: it is in neither.
Result<ClassLabels> LoadClassLabels(const std::map<std::string, std::string>& files,
                                    const std::string& version_directory, const std::string& model_directory);

// A name, without directories, that does not begin with a dot.
Status CheckClassFile(std::string_view file);

}  // namespace snug::repository
