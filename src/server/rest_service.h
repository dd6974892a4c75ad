// snug-server's REST: KServe v2, the model repository extension, Predict and /metrics. No thread of its own.
#pragma once

#include "net/http_server.h"
#include "server/core.h"

namespace snug::server {

// Handles one request; `core` outlives the last answer.
void HandleRest(Core& core, net::Request&& request, const net::Responder& respond);

}  // namespace snug::server
