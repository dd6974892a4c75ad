// The logging and trace extensions over REST. Each answers with a JSON document.
#pragma once

#include <string>
#include <string_view>

#include "server/core.h"
#include "server/trace_settings.h"

namespace snug::server {

// An empty body (a GET) changes nothing.
Result<std::string> LoggingDocument(Core& core, const std::string& unused, const std::string& body);
// `model`: empty for what holds for all. NOT_FOUND: no such model.
Result<std::string> TraceDocument(Core& core, const std::string& model, const std::string& body);

// {"trace_level":["TIMESTAMPS"],"trace_rate":"100","trace_count":null}
Result<TraceValues> ParseTraceValues(std::string_view body);

}  // namespace snug::server
