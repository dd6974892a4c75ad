// The table of gRPC methods. Only files that include gRPC include this.
#pragma once

#include <memory>
#include <optional>
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

// What answers a request within a stream, each time with a ModelStreamInferResponse. On any thread.
class StreamedAnswers {
 public:
  virtual ~StreamedAnswers() = default;
  // There may be any number of them, so that other requests' answers need not wait for the last. Before all
  // else.
  virtual void AnyNumber() = 0;
  // One after which others may come. May block while the client reads slower. False: nobody reads any more.
  virtual bool Part(grpc::ByteBuffer answer) = 0;
  // Exactly once: nothing follows. The last answer, an error's too, or none.
  virtual void End(std::optional<grpc::ByteBuffer> answer) = 0;
};

// A ModelInferRequest within a stream; `head` says what is known of it besides the message.
void GrpcStreamedInfer(Core& core, grpc::ByteBuffer& message, serving::RequestHead head,
                       const std::shared_ptr<StreamedAnswers>& answers);

}  // namespace snug::server
