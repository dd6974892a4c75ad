// ModelInferRequest's tensors to Snug's and back. Pure.
#pragma once

#include <grpc_service.pb.h>

#include <memory>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::server {

// Inputs of a request; raw contents are borrowed from `request`, typed ones copied. INVALID_ARGUMENT names
// the input and what was expected.
Result<std::vector<Tensor>> OipInputs(const std::shared_ptr<inference::ModelInferRequest>& request);

// What the request asks for; extensions that Snug has not are INVALID_ARGUMENT.
Result<std::vector<std::string>> OipOutputs(const inference::ModelInferRequest& request);

// Writes names, datatypes and shapes of outputs; their bytes follow as raw_output_contents.
void DescribeOutputs(const std::vector<Tensor>& outputs, inference::ModelInferResponse& response);

}  // namespace snug::server
