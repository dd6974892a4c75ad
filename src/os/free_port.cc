#include "os/free_port.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include "os/unique_fd.h"

namespace snug::os {
namespace {

using AddressInfo = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<AddressInfo> Resolve(const std::string& address, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    return InvalidArgument("\"{}\" is not a numeric address", address);
  }
  return AddressInfo(found, ::freeaddrinfo);
}

uint16_t BoundPort(int fd) {
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) return 0;
  // The port lies at the same place in both families.
  return ntohs(reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

}  // namespace

Result<uint16_t> FreePort(const std::string& address, uint16_t wanted) {
  SNUG_ASSIGN_OR_RETURN(AddressInfo info, Resolve(address, wanted));
  UniqueFd fd(::socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket");
  int on = 1;  // not to fail on connections that ended just now
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  bool free = ::bind(fd.get(), info->ai_addr, info->ai_addrlen) == 0 && ::listen(fd.get(), 1) == 0;
  int error = errno;
  if (!free && error == EADDRINUSE) {
    return Unavailable("port {} of {} is in use by another program", wanted, address);
  }
  if (!free) return ErrnoError(error, fmt::format("port {} of {}", wanted, address));
  return BoundPort(fd.get());
}

}  // namespace snug::os
