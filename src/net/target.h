// The request line's target: path and query, percent-decoded.
#pragma once

#include "base/status.h"
#include "net/http_server.h"

namespace snug::net {

// Fills path and query from target. INVALID_ARGUMENT for a broken percent-encoding or an encoded NUL.
Status ParseTarget(Request& request);

}  // namespace snug::net
