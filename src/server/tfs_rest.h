// TensorFlow Serving's REST: /v1/models/M[/versions/V | /labels/L][:predict | :classify | :regress |
// /metadata]. No thread of its own.
#pragma once

#include "net/http_server.h"
#include "server/core.h"

namespace snug::server {

struct TfsRestOptions {
  std::string metrics_path = "/monitoring/prometheus/metrics";  // empty: not served here
  Duration timeout{0};                                          // of a request; 0: none
};

// False, with everything untouched, when the path is not TensorFlow Serving's. `core` outlives the last
// answer.
bool HandleTfsRest(Core& core, const TfsRestOptions& options, net::Request& request,
                   const net::Responder& respond);

}  // namespace snug::server
