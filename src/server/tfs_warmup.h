// TensorFlow Serving's recorded requests for the warm-up: a TFRecord file of PredictionLog.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "serving/warmup.h"

namespace snug::server {

inline constexpr std::string_view kTfsWarmupFile = "assets.extra/tf_serving_warmup_requests";

// Those of a version's directory; none when it has no such file.
Result<std::vector<serving::WarmupRequest>> ReadTfsWarmup(const std::string& directory);
// Of the file's content. Only Predict's are taken: what the others' examples become depends on a loaded
// model; a warm-up by them is left to TensorFlow's own initialisation. INVALID_ARGUMENT, DATA_LOSS: which
// record is bad.
Result<std::vector<serving::WarmupRequest>> DecodeTfsWarmup(std::string_view file);

}  // namespace snug::server
