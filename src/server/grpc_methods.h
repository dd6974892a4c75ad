// The table of gRPC methods. Only files that include gRPC include this.
#pragma once

#include <functional>
#include <span>

#include "server/core.h"
#include "server/grpc_call.h"

namespace snug::server {

// Of all services. Each protocol has a table of its own and knows nothing of the others.
std::span<const GrpcMethod> GrpcMethods();
std::span<const GrpcMethod> OipGrpcMethods();  // KServe v2 and Predict
std::span<const GrpcMethod> TfsGrpcMethods();  // TensorFlow Serving

// KServe v2's ModelInfer and Predict, the two that carry the load.
void GrpcModelInfer(Core& core, GrpcCall& call);
void GrpcPredict(Core& core, GrpcCall& call);

// A ModelInferRequest within a stream; `head` says what is known of it besides the message. `answer` gets a
// ModelStreamInferResponse, an error's too, exactly once, on any thread.
void GrpcStreamedInfer(Core& core, grpc::ByteBuffer& message, serving::RequestHead head,
                       std::function<void(grpc::ByteBuffer)> answer);

}  // namespace snug::server
