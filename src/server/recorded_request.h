// A request as it is kept in a file, to be looked at or sent again: its JSON's length (4 bytes,
// little-endian), JSON, and the bytes of its tensors or its payload. The JSON is KServe v2's infer with
// binary inputs, so that other tools read it too. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "serving/request.h"
#include "serving/warmup.h"

namespace snug::server {

std::string EncodeRecorded(const serving::InferRequest& request, double wall_seconds);
std::string EncodeRecorded(const serving::PredictRequest& request, double wall_seconds);

// `record` without an alignment; the tensors of the result own their bytes or share a copy of it.
Result<serving::WarmupRequest> DecodeRecorded(std::string_view record);

}  // namespace snug::server
