// ModelInferRequest's tensors to Snug's and back. Pure.
#pragma once

#include <grpc_service.pb.h>

#include <memory>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "server/infer_extras.h"
#include "serving/sequence_mark.h"

namespace snug::server {

// Inputs of a request; raw contents are borrowed from `request`, typed ones copied. INVALID_ARGUMENT names
// the input and what was expected. Those in shared memory have no bytes yet and are noted in `extras`.
Result<std::vector<Tensor>> OipInputs(const std::shared_ptr<inference::ModelInferRequest>& request,
                                      InferExtras& extras);

// Names of the outputs that the request asks for; what it wishes of them is noted in `extras`.
Result<std::vector<std::string>> OipOutputs(const inference::ModelInferRequest& request, InferExtras& extras);

// What the parameters say of a sequence. INVALID_ARGUMENT: one is of another type.
Result<serving::SequenceMark> OipSequence(const inference::ModelInferRequest& request);

// Writes names, datatypes and shapes of outputs; their bytes follow as raw_output_contents. `placed`: as
// FinishOutputs gives it.
void DescribeOutputs(const std::vector<Tensor>& outputs, const std::vector<SharedPlace>& placed,
                     inference::ModelInferResponse& response);

}  // namespace snug::server
