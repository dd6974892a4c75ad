// What calls of the completion queues have in common.
#pragma once

#include <grpcpp/grpcpp.h>

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

grpc::Status ToGrpc(const Status& status);

}  // namespace snug::server
