// KServe v2's methods that take one small message and give one (Unary in grpc_call.h). Only files that
// include gRPC include this.
#pragma once

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

// The parts of KServe v2's table.
std::span<const GrpcMethod> OipModelMethods();       // metadata, configuration, statistics of models
std::span<const GrpcMethod> OipRepositoryMethods();  // index, load, unload
std::span<const GrpcMethod> OipSharedMemoryMethods();
std::span<const GrpcMethod> OipSettingsMethods();  // logging, traces

}  // namespace snug::server
