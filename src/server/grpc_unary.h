// Methods that take one small message and give one: parse, answer, send. Only files that include gRPC include
// this.
#pragma once

#include <span>

#include "server/core.h"
#include "server/grpc_call.h"

namespace snug::server {

// Calls `answer(core, request, response)` and sends what it made.
template <typename Request, typename Response, Status (*Answer)(Core&, const Request&, Response&)>
void Unary(Core& core, GrpcCall& call) {
  Request request;
  Response response;
  Status status = ParseMessage(call.request(), &request);
  if (status.ok()) status = Answer(core, request, response);
  if (!status.ok()) return call.Fail(status);
  call.Finish(SerializeMessage(response));
}

// Calls of such a method that each queue awaits at a time.
constexpr int kUnarySlots = 2;

// The table's entry of inference.GRPCInferenceService/NAME, answered by the function of that name.
#define SNUG_UNARY(name)                                                              \
  {                                                                                   \
    "/inference.GRPCInferenceService/" #name,                                         \
        Unary<inference::name##Request, inference::name##Response, name>, kUnarySlots \
  }

// The parts of KServe v2's table.
std::span<const GrpcMethod> OipModelMethods();       // metadata, configuration, statistics of models
std::span<const GrpcMethod> OipRepositoryMethods();  // index, load, unload
std::span<const GrpcMethod> OipSharedMemoryMethods();
std::span<const GrpcMethod> OipSettingsMethods();  // logging, traces

}  // namespace snug::server
