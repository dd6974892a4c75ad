// The part of Servable that executes recorded requests before the first client's.
#include <memory>

#include "serving/batch_tensors.h"
#include "serving/checks.h"
#include "serving/servable.h"

namespace snug::serving {

Status Servable::WarmWith(const WarmupRequest& request) {
  SNUG_ASSIGN_OR_RETURN(Servable * callee, ForSignature(request.signature));
  if (callee != this) return callee->WarmWith(request);
  if (!request.is_payload) {
    std::vector<Tensor> inputs = request.inputs;
    SNUG_RETURN_IF_ERROR(ArrangeInputs(info_.inputs, inputs));
    return ExecutePadded(inputs);
  }
  if (!parser_) return InvalidArgument("it is a payload, and the model has no parser");
  SNUG_ASSIGN_OR_RETURN(const std::unique_ptr<parsers::ParsedRequest> parsed,
                        parser_->Parse({request.content_type, request.payload, &request.parameters}));
  return ExecutePadded(parsed->inputs());
}

// As the queue would have it executed.
Status Servable::ExecutePadded(const std::vector<Tensor>& inputs) {
  if (padding_.empty()) return ExecuteOnEach(inputs);
  SNUG_ASSIGN_OR_RETURN(const Lengths lengths, padding_.LengthsOf(inputs));
  SNUG_ASSIGN_OR_RETURN(const std::vector<Tensor> padded, PadInputs(inputs, padding_, lengths));
  return ExecuteOnEach(padded);
}

Status Servable::WarmWith(const std::vector<WarmupRequest>& requests) {
  for (int round = 0; round < config_.warmup.rounds; ++round) {
    for (const WarmupRequest& request : requests) {
      Status status = WarmWith(request);
      if (!status.ok()) return status.Annotate(request.origin);
    }
  }
  return {};
}

}  // namespace snug::serving
