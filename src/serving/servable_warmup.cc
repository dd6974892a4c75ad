// The part of Servable that executes something before the first client's request: zeros, and recorded
// requests.
#include <algorithm>
#include <memory>

#include "serving/batch_tensors.h"
#include "serving/checks.h"
#include "serving/servable.h"

namespace snug::serving {
namespace {

// Sizes tried for free dimensions but the batch: 32 suits images and sequences, 1 what must match something,
// then what common image and audio models need.
constexpr int64_t kWarmupFreeDims[] = {32, 1, 224, 512};

}  // namespace

Status Servable::Warm(std::string& note) {
  if (padding_.empty()) return WarmSpecs(model_->info().inputs, note);
  for (size_t bucket = 0; bucket < padding_.buckets(); ++bucket)
    SNUG_RETURN_IF_ERROR(WarmSpecs(padding_.SpecsAt(bucket), note));
  return {};
}

Status Servable::WarmSpecs(std::span<const TensorSpec> specs, std::string& note) {
  if (!HasGuessedDims(specs)) return WarmGuessedBytes(specs, note);
  Status first;
  for (int64_t free_dim : kWarmupFreeDims) {
    Status status = WarmOnce(specs, free_dim);
    // A crash or a full memory is no wrong guess.
    if (status.ok() || status.code() == Code::kUnavailable || status.code() == Code::kResourceExhausted)
      return status;
    if (first.ok()) first = status;
  }
  note = fmt::format("not warmed up: zeros for {} gave {}", SpecsText(specs), first.ToString());
  return {};
}

// Empty strings are a guess too: a model that parses its strings may refuse them.
Status Servable::WarmGuessedBytes(std::span<const TensorSpec> specs, std::string& note) {
  Status status = WarmOnce(specs, 1);
  const bool has_bytes = std::any_of(specs.begin(), specs.end(),
                                     [](const TensorSpec& spec) { return spec.dtype == DType::kBytes; });
  if (status.code() != Code::kInvalidArgument || !has_bytes) return status;
  note = fmt::format("not warmed up: empty strings for {} gave {}", SpecsText(specs), status.ToString());
  return {};
}

Status Servable::WarmOnce(std::span<const TensorSpec> specs, int64_t free_dim) {
  SNUG_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, ZeroInputs(specs, free_dim));
  return ExecuteOnEach(inputs);
}

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
