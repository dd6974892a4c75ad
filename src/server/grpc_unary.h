// KServe v2's methods that take one small message and give one (Unary in grpc_call.h). Only files that
// include gRPC include this.
#pragma once

#include <memory>
#include <span>

#include "server/core.h"
#include "server/grpc_call.h"

namespace snug::server {

// Calls of such a method that each queue awaits at a time.
constexpr int kUnarySlots = 2;

// The table's entry of inference.GRPCInferenceService/NAME, answered by the function of that name.
#define SNUG_UNARY(name)                                                              \
  {                                                                                   \
    "/inference.GRPCInferenceService/" #name,                                         \
        Unary<inference::name##Request, inference::name##Response, name>, kUnarySlots \
  }

// The same for what has to know the model of the request's name() and version(): one on standby is loaded
// first.
template <typename Request, typename Response, Status (*Answer)(Core&, const Request&, Response&)>
void UnaryOfModel(Core& core, GrpcCall& call) {
  auto request = std::make_shared<Request>();
  Status status = ParseMessage(call.request(), request.get());
  if (!status.ok()) return call.Fail(status);
  core.models.WhenLoaded(request->name(), request->version(), call.deadline(), call.cancelled(),
                         [&core, &call, request](const Status& loaded) {
                           Response response;
                           const Status answered = loaded.ok() ? Answer(core, *request, response) : loaded;
                           if (!answered.ok()) return call.Fail(answered);
                           call.Finish(SerializeMessage(response));
                         });
}
#define SNUG_UNARY_OF_MODEL(name)                                                            \
  {                                                                                          \
    "/inference.GRPCInferenceService/" #name,                                                \
        UnaryOfModel<inference::name##Request, inference::name##Response, name>, kUnarySlots \
  }

// The parts of KServe v2's table.
std::span<const GrpcMethod> OipModelMethods();       // metadata, configuration, statistics of models
std::span<const GrpcMethod> OipRepositoryMethods();  // index, load, unload
std::span<const GrpcMethod> OipSharedMemoryMethods();
std::span<const GrpcMethod> OipSettingsMethods();  // logging, traces

}  // namespace snug::server
