// An HTTP client for control traffic (libcurl): bounded time and size, no redirects to other schemes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/status.h"

namespace snug::os {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::map<std::string, std::string> headers;
  std::string body;
  std::string body_file;  // sent instead of `body` when not empty, streamed
  Duration timeout = std::chrono::seconds(30);
  uint64_t response_bytes_max = uint64_t{64} << 20;
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// A response of any status is a value. UNAVAILABLE: no connection; DEADLINE_EXCEEDED: timeout;
// RESOURCE_EXHAUSTED: the answer is too large. Thread-safe.
Result<HttpResponse> Fetch(const HttpRequest& request);

}  // namespace snug::os
