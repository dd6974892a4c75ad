// KServe v2's messages over gRPC (inference.GRPCInferenceService). Pure; decoders throw kit::Failure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engines/remote/wire.h"

namespace snug::remote::kserve {

inline constexpr const char* kMetadataMethod = "/inference.GRPCInferenceService/ModelMetadata";
inline constexpr const char* kInferMethod = "/inference.GRPCInferenceService/ModelInfer";

// version: empty for the one that the server chooses.
std::string EncodeMetadataRequest(std::string_view model, std::string_view version);
// UNIMPLEMENTED for element types that Snug does not know.
Metadata DecodeMetadata(std::string_view message);

std::string EncodeInfer(std::string_view model, std::string_view version, const snug_tensor* inputs,
                        uint32_t input_count, const std::vector<std::string>& outputs);
std::vector<AnswerTensor> DecodeInfer(std::string_view message);

}  // namespace snug::remote::kserve
