// Triton's logging extension: reads and changes what the process logs. Values by name, as both protocols
// write them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"

namespace snug::server {

using LogValue = std::variant<bool, uint32_t, std::string>;
using LogValues = std::map<std::string, LogValue>;

LogValues CurrentLogValues();
// All or nothing. INVALID_ARGUMENT: an unknown name, a wrong type, log_file (the log goes to stderr).
Status ChangeLog(const LogValues& changes);

// POST /v2/logging; an empty body changes nothing.
Result<LogValues> ParseLogValues(std::string_view body);
std::string LogValuesJson(const LogValues& values);

}  // namespace snug::server
