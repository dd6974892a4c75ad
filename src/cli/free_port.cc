#include "cli/free_port.h"

#include "os/free_port.h"

namespace snug::cli {

Result<uint16_t> FreePort(uint16_t wanted, const char* flag) {
  auto port = os::FreePort("127.0.0.1", wanted);
  if (port.ok() || port.status().code() != Code::kUnavailable) return port;
  return FailedPrecondition("port {} is in use by another program: choose one with {} (0: any free one)",
                            wanted, flag);
}

}  // namespace snug::cli
