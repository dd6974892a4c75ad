#include "cli/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "os/unique_fd.h"

namespace snug::cli {

Result<uint16_t> FreePort(uint16_t wanted, const char* flag) {
  os::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket");
  int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on,
               sizeof on);  // not to fail on connections that ended just now
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(wanted);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  bool bound = ::bind(fd.get(), generic, sizeof address) == 0;
  int error = errno;
  bool free = bound && ::listen(fd.get(), 1) == 0;
  if (!free) {
    if (error == EACCES) return ErrnoError(error, fmt::format("port {}", wanted));
    return FailedPrecondition("port {} is in use by another program: choose one with {} (0: any free one)",
                              wanted, flag);
  }
  socklen_t length = sizeof address;
  if (::getsockname(fd.get(), generic, &length) != 0) return ErrnoError(errno, "getsockname");
  return ntohs(address.sin_port);
}

}  // namespace snug::cli
