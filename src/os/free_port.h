// Whether a TCP port can be listened on.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace snug::os {

// `wanted`, or for 0 a port that nobody uses now. `address` is numeric, IPv4 or IPv6. UNAVAILABLE when
// somebody listens there; somebody may still come between this and the caller's own listen.
Result<uint16_t> FreePort(const std::string& address, uint16_t wanted);

}  // namespace snug::os
