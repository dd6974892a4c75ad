// ModelStreamInfer: one call that carries many requests and their answers, both at once.
//
// Requests are executed as they come, many at a time; answers leave in the order of the requests, but those
// of decoupled models when they are there. An error is the answer of its request (error_message beside the
// request's id), not the end of the stream.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "server/core.h"

namespace snug::server {

// Requests of one stream under way; further ones are read when an answer has left.
constexpr size_t kStreamRequestsMax = 64;
// Answers of one request that wait to be sent; its model is held up then.
constexpr size_t kStreamPartsMax = 16;

// Awaits the next call on the queue: RequestAsyncBidiStreaming of the service.
using AwaitStream = std::function<void(
    grpc::ServerContext*, grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>*, void* tag)>;

class StreamCall;

// The open streams of a server.
class Streams {
 public:
  explicit Streams(Core& core) : state_(std::make_shared<State>(core)) {}

  // Takes one stream after the other from now on, until Drain.
  void Await(const AwaitStream& await);
  // No new stream; the open ones end (UNAVAILABLE) as soon as their requests are answered.
  void Drain();

 private:
  friend class StreamCall;
  // Held by each stream: whoever executes its last request may let go of it after the server has ended.
  struct State {
    explicit State(Core& c) : core(c) {}
    Core& core;
    std::atomic<bool> draining{false};
    std::mutex mutex;
    std::set<StreamCall*> open;
  };
  const std::shared_ptr<State> state_;
};

}  // namespace snug::server
