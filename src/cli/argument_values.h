// Words of the command line that hold more than a text or a number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/json_access.h"

namespace snug::cli {

// The empty text for good, what was expected for bad: as CLI11 wants its validators.
std::string CheckName(const std::string& text);
std::string CheckVersion(const std::string& text);
std::string CheckKeyValue(const std::string& text);
std::string CheckShape(const std::string& text);
std::string CheckWeight(const std::string& text);

// "k=a=b" -> {"k", "a=b"}
std::pair<std::string, std::string> SplitKeyValue(const std::string& text);
// true, 3, 0.5 and "x" mean what they mean in JSON; everything else is a text.
Json OptionValue(const std::string& text);
// "x=1,3,224,224"
std::optional<std::pair<std::string, std::vector<int64_t>>> ParseShape(const std::string& text);
// "3=90" or "3:90": version and weight.
std::optional<std::pair<int64_t, int>> ParseWeight(const std::string& text);

}  // namespace snug::cli
