// The table of gRPC methods. Only files that include gRPC include this.
#pragma once

#include <span>

#include "server/core.h"
#include "server/grpc_call.h"

namespace snug::server {

std::span<const GrpcMethod> GrpcMethods();

// KServe v2's ModelInfer and Predict, the two that carry the load.
void GrpcModelInfer(Core& core, GrpcCall& call);
void GrpcPredict(Core& core, GrpcCall& call);

}  // namespace snug::server
