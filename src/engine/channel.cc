#include "engine/channel.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace snug::engine {
namespace {

// Room for the descriptors of one message, aligned as the kernel wants it.
union Ancillary {
  cmsghdr align;
  char bytes[CMSG_SPACE(kPassedFdsMax * sizeof(int))];
};

Status Gone() {
  return Unavailable("the engine process's channel is closed");
}

Status ChannelError(std::string_view step) {
  if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return Gone();
  if (errno == EAGAIN || errno == EWOULDBLOCK)
    return Error(Code::kDeadlineExceeded, "{}: nothing came in time", step);
  return ErrnoError(errno, step);
}

Result<std::pair<os::UniqueFd, os::UniqueFd>> Pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return ErrnoError(errno, "socketpair");
  return std::pair(os::UniqueFd(ends[0]), os::UniqueFd(ends[1]));
}

void Attach(msghdr& message, Ancillary& ancillary, std::span<const int> fds) {
  if (fds.empty()) return;
  message.msg_control = ancillary.bytes;
  message.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
}

void Detach(msghdr& message, std::vector<os::UniqueFd>& fds) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

Result<size_t> Send(int socket, std::span<const std::byte> bytes, std::span<const int> fds) {
  if (fds.size() > kPassedFdsMax) return Internal("{} descriptors in a message", fds.size());
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  Ancillary ancillary{};
  Attach(message, ancillary, fds);
  ssize_t n = 0;
  do {
    n = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return ChannelError("send to the engine process");
  return static_cast<size_t>(n);
}

Result<size_t> Receive(int socket, std::span<std::byte> bytes, std::vector<os::UniqueFd>& fds) {
  iovec part{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  Ancillary ancillary{};
  message.msg_control = ancillary.bytes;
  message.msg_controllen = sizeof ancillary.bytes;
  ssize_t n = 0;
  do {
    n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return ChannelError("receive from the engine process");
  Detach(message, fds);
  if (n == 0) return Gone();
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return Internal("an oversized message on a channel");
  return static_cast<size_t>(n);
}

Status ReceiveAll(int socket, std::span<std::byte> bytes, std::vector<os::UniqueFd>& fds) {
  while (!bytes.empty()) {
    SNUG_ASSIGN_OR_RETURN(size_t n, Receive(socket, bytes, fds));
    bytes = bytes.subspan(n);
  }
  return {};
}

}  // namespace

Result<std::pair<os::UniqueFd, os::UniqueFd>> ControlPair() {
  return Pair(SOCK_STREAM);
}
Result<std::pair<os::UniqueFd, os::UniqueFd>> InstancePair() {
  return Pair(SOCK_SEQPACKET);
}

Status SendControl(int socket, std::string_view json, std::span<const int> fds) {
  if (json.size() > kControlBytesMax) return Internal("a control message of {} bytes", json.size());
  auto length = static_cast<uint32_t>(json.size());
  std::string message(sizeof length, '\0');
  std::memcpy(message.data(), &length, sizeof length);
  message += json;
  auto rest = std::as_bytes(std::span(message));
  while (!rest.empty()) {
    SNUG_ASSIGN_OR_RETURN(size_t n, Send(socket, rest, fds));
    rest = rest.subspan(n);
    fds = {};
  }
  return {};
}

Status SendFrame(int socket, std::span<const std::byte> frame, std::span<const int> fds) {
  return Send(socket, frame, fds).status();
}

Result<ControlMessage> ReceiveControl(int socket) {
  ControlMessage message;
  uint32_t length = 0;
  SNUG_RETURN_IF_ERROR(ReceiveAll(socket, std::as_writable_bytes(std::span(&length, 1)), message.fds));
  if (length > kControlBytesMax) return Internal("a control message of {} bytes", length);
  message.json.resize(length);
  SNUG_RETURN_IF_ERROR(ReceiveAll(socket, std::as_writable_bytes(std::span(message.json)), message.fds));
  return message;
}

void SetReceiveTimeout(int socket, int seconds) {
  timeval limit{seconds, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

Result<ReceivedFrame> ReceiveFrame(int socket, std::span<std::byte> buffer) {
  ReceivedFrame frame;
  SNUG_ASSIGN_OR_RETURN(frame.bytes, Receive(socket, buffer, frame.fds));
  return frame;
}

}  // namespace snug::engine
