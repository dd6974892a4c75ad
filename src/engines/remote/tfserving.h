// TensorFlow Serving's messages over gRPC (tensorflow.serving.PredictionService). Pure; decoders throw
// kit::Failure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engines/remote/wire.h"

namespace snug::remote::tfserving {

inline constexpr const char* kMetadataMethod = "/tensorflow.serving.PredictionService/GetModelMetadata";
inline constexpr const char* kPredictMethod = "/tensorflow.serving.PredictionService/Predict";

// A model as requests name it. version: empty for the one that the server chooses, else digits or a label.
struct ModelSpec {
  std::string model;
  std::string version;
  std::string signature;
};

std::string EncodeMetadataRequest(const ModelSpec& spec);
// The tensors of spec.signature, in alphabetical order. NOT_FOUND when the model has no such signature.
Metadata DecodeMetadata(std::string_view message, const ModelSpec& spec);

std::string EncodePredict(const ModelSpec& spec, const snug_tensor* inputs, uint32_t input_count,
                          const std::vector<std::string>& outputs);
std::vector<AnswerTensor> DecodePredict(std::string_view message);

}  // namespace snug::remote::tfserving
