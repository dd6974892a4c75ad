// Triton's classification extension: an output's scores as its highest few, with their places. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::server {

// Of each row (the first dimension, where the model has a batch; else all there is) the `classes` highest
// values as BYTES "score:index", highest first, of equal ones the first first; NaNs come last. Where `labels`
// has a name for the index: "score:index:name". Fewer when a row has fewer. INVALID_ARGUMENT: a datatype that
// has no order.
Result<Tensor> Classify(const Tensor& scores, int64_t classes, bool has_batch,
                        std::span<const std::string> labels = {});

}  // namespace snug::server
