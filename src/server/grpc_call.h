// One unary call on raw bytes, from arrival to answer.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "serving/request.h"

namespace snug::server {

// What a handler sees. It must call exactly one of Finish and Fail, on any thread, at once or later; the call
// is gone after that.
class GrpcCall {
 public:
  virtual ~GrpcCall() = default;
  virtual void Finish(const grpc::ByteBuffer& answer) = 0;
  virtual void Fail(const Status& status) = 0;

  // Of the client's metadata, by its lower-case name; empty when absent.
  virtual std::string_view Metadata(const char* name) const = 0;

  grpc::ByteBuffer& request() { return request_; }
  TimePoint arrival() const { return arrival_; }
  TimePoint deadline() const { return deadline_; }
  // Set when the client has given up.
  const serving::CancelFlag& cancelled() const { return cancelled_; }

 protected:
  grpc::ByteBuffer request_;
  TimePoint arrival_;
  TimePoint deadline_ = TimePoint::max();
  serving::CancelFlag cancelled_;
};

struct GrpcMethod {
  const char* name;  // "/inference.GRPCInferenceService/ModelInfer"
  void (*handle)(struct Core& core, GrpcCall& call);
  int slots;  // calls that each queue awaits at a time; more wait inside gRPC
};

// INVALID_ARGUMENT when the bytes are no such message.
template <typename Message>
Status ParseMessage(grpc::ByteBuffer& bytes, Message* message) {
  if (grpc::GenericDeserialize<grpc::ProtoBufferReader, Message>(&bytes, message).ok()) return {};
  return InvalidArgument("the request's bytes are not a valid {}", Message::descriptor()->full_name());
}

template <typename Message>
grpc::ByteBuffer SerializeMessage(const Message& message) {
  grpc::Slice slice(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return grpc::ByteBuffer(&slice, 1);
}

// A method that takes one message and gives one: parses, calls `Answer(core, request, response)` and sends
// what it made.
template <typename Request, typename Response, Status (*Answer)(struct Core&, const Request&, Response&)>
void Unary(struct Core& core, GrpcCall& call) {
  Request request;
  Response response;
  Status status = ParseMessage(call.request(), &request);
  if (status.ok()) status = Answer(core, request, response);
  if (!status.ok()) return call.Fail(status);
  call.Finish(SerializeMessage(response));
}

}  // namespace snug::server
