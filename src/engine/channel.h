// Messages over Unix sockets between the host and an engine process, with descriptors attached.
//
// Control: a stream socket; each message is a 4-byte length and a JSON text. One call at a time.
// Instance: a sequenced-packet socket; each message is one frame (frames.h). Blocking reads on both sides.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "os/unique_fd.h"

namespace snug::engine {

constexpr size_t kControlBytesMax = 8 << 20;
constexpr size_t kPassedFdsMax = 2;

// Both ends close at exec.
Result<std::pair<os::UniqueFd, os::UniqueFd>> ControlPair();
Result<std::pair<os::UniqueFd, os::UniqueFd>> InstancePair();

// UNAVAILABLE: the other side is gone. `fds` are sent as copies, at most kPassedFdsMax.
Status SendControl(int socket, std::string_view json, std::span<const int> fds = {});
Status SendFrame(int socket, std::span<const std::byte> frame, std::span<const int> fds = {});

struct ControlMessage {
  std::string json;
  std::vector<os::UniqueFd> fds;
};
// UNAVAILABLE: the other side is gone; DEADLINE_EXCEEDED: nothing came in time (SetReceiveTimeout).
Result<ControlMessage> ReceiveControl(int socket);
void SetReceiveTimeout(int socket, int seconds);

struct ReceivedFrame {
  size_t bytes = 0;  // of `buffer`
  std::vector<os::UniqueFd> fds;
};
Result<ReceivedFrame> ReceiveFrame(int socket, std::span<std::byte> buffer);

}  // namespace snug::engine
