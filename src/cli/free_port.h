// Ports of this machine's loopback address.
#pragma once

#include <cstdint>

#include "base/status.h"

namespace snug::cli {

// `wanted`, or for 0 one that nobody uses. FAILED_PRECONDITION, naming `flag`, when somebody listens on it.
Result<uint16_t> FreePort(uint16_t wanted, const char* flag);

}  // namespace snug::cli
