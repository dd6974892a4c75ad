// A model's inputs and outputs as the front door tells them (KServe v2), and the requests and answers made of
// them.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::cli {

struct ModelMetadata {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};

// "/v2/models/NAME" or "/v2/models/NAME/versions/VERSION"
std::string ModelPath(std::string_view prefix, const std::string& name, const std::string& version);

// UNAVAILABLE: the front door cannot be reached; DEADLINE_EXCEEDED: no copy is ready; NOT_FOUND and others:
// as it says.
Result<ModelMetadata> FetchMetadata(const std::string& front_door, const std::string& name,
                                    const std::string& version);
Result<ModelMetadata> ParseMetadata(const nlohmann::json& json);

// "inputs:\n  x  FP32  [-1,3]\n…"
std::string MetadataText(const ModelMetadata& metadata);

// An infer request with zeros (empty texts for BYTES). Free dimensions are 1 unless `shapes` says otherwise.
// NOT_FOUND: `shapes` names an input that there is not; INVALID_ARGUMENT: it does not fit the model, or is
// too large.
Result<nlohmann::json> ZerosRequest(const ModelMetadata& metadata,
                                    const std::map<std::string, std::vector<int64_t>>& shapes);

// An infer answer for people: a line per output with its first elements.
std::string AnswerText(const nlohmann::json& answer);

}  // namespace snug::cli
