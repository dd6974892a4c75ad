// What calls of the completion queues have in common.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace snug::server {

// An event of a completion queue.
class GrpcEvent {
 public:
  virtual ~GrpcEvent() = default;
  virtual void Happened(bool ok) = 0;
};

// Of the call, on our clock; max() for none.
TimePoint GrpcDeadline(const grpc::ServerContext& context, TimePoint now);

// Of what the client sent beside its message, by its lower-case name; empty when absent. Valid with the
// context.
std::string_view GrpcMetadata(const grpc::ServerContext& context, const char* name);

grpc::Status ToGrpc(const Status& status);

}  // namespace snug::server
