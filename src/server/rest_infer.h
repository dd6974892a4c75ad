// KServe v2's infer over REST: JSON with optional binary tensors behind it, to a serving request and back.
// Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "server/infer_extras.h"
#include "serving/request.h"

namespace snug::server {

// Tensors in one request, as in api/engine.h, and outputs asked for.
constexpr size_t kTensorsMax = 256;
constexpr size_t kRankMax = 16;

struct RestInferRequest {
  std::string id;
  std::vector<Tensor> inputs;
  std::vector<std::string> outputs;
  std::vector<int8_t> binary_outputs;  // of `outputs`: 1 binary, 0 JSON, -1 as binary_by_default says
  bool binary_by_default = false;
  InferExtras extras;
  int64_t timeout_us = 0;          // parameters.timeout; 0: none
  int64_t priority = 0;            // parameters.priority; 0: the model's default
  serving::SequenceMark sequence;  // parameters.sequence_id, sequence_start, sequence_end
};

// `body`: JSON, or JSON of `header_length` bytes followed by binary tensors. `header_length` is the text of
// the header Inference-Header-Content-Length, empty when absent. Tensors may borrow from `body`. Numbers in
// "data" must be finite (JSON knows no NaN) and fit their datatype. INVALID_ARGUMENT says which input, what
// was expected.
Result<RestInferRequest> DecodeInfer(const std::shared_ptr<std::string>& body,
                                     std::string_view header_length);

struct RestInferAnswer {
  std::string json;
  // Not empty: binary tensors, to follow the JSON in this order. They live as long as `owner`.
  std::vector<std::string_view> binary;
  std::shared_ptr<void> owner;
};

// NaN and infinities become null in JSON; FP16, BF16 and BYTES that are no UTF-8 can only be sent as binary:
// INVALID_ARGUMENT says how to ask for that.
// `placed`: as FinishOutputs gives it.
Result<RestInferAnswer> EncodeInfer(const RestInferRequest& request, serving::InferResponse response,
                                    const std::vector<SharedPlace>& placed = {});

}  // namespace snug::server
