// snug-server's gRPC: KServe v2 (package inference, with Triton's repository, configuration and statistics
// calls) and snug.v1.Prediction.
//
// Own completion queues, one thread each: they are sized from the CPU budget, where gRPC's own pools are
// sized from the machine. A call's answer is written by the thread that made it. Every call is taken as raw
// bytes, so that bytes that are no message are INVALID_ARGUMENT, and tensors leave without being copied.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "server/core.h"

namespace snug::server {

// Sending an answer of a megabyte takes the thread that does it some 0.3 ms: an instance's thread has the
// next request to execute meanwhile.
inline constexpr uint64_t kSendHereBytes = uint64_t{64} << 10;

struct GrpcOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: the system chooses
  int threads = 1;
  // Answers up to here are sent by the thread that made them, larger ones by one of `threads`.
  uint64_t send_here_bytes_max = kSendHereBytes;
  uint64_t message_bytes_max = uint64_t{64} << 20;  // RESOURCE_EXHAUSTED beyond
  uint64_t memory_bytes_max = 0;                    // of all messages under way; 0: no limit
  int streams_max = 1024;                           // calls at a time on one connection; more wait
  Duration keepalive_time = std::chrono::seconds(60);
  Duration keepalive_timeout = std::chrono::seconds(20);
  std::string socket_path;  // a Unix socket to listen on too; empty: none
  // Further arguments of gRPC's channels, by its own names; whole numbers are passed as such.
  std::vector<std::pair<std::string, std::string>> channel_arguments;
  Duration connection_age_max{0};  // then clients connect anew, and so find new servers; 0: never
};

class GrpcServer {
 public:
  // UNAVAILABLE with the address when it cannot listen. `core` outlives the server.
  static Result<std::unique_ptr<GrpcServer>> Start(const GrpcOptions& options, Core& core);
  virtual ~GrpcServer() = default;  // Drain(0)
  virtual uint16_t port() const = 0;
  // Refuses new calls, answers those under way; after `limit` cancels the rest. Blocks until all is closed.
  // False when something had to be cancelled.
  virtual bool Drain(Duration limit) = 0;
};

}  // namespace snug::server
