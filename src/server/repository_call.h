// The calls of the model repository extension (index, load, unload), as both protocols translate them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "serving/model_manager.h"

namespace snug::server {

struct RepositoryCall {
  std::string version;            // parameters.version; a number is taken too
  bool wait = true;               // parameters.wait
  bool only_ready = false;        // ready, of index
  std::string config;             // parameters.config: a Triton model configuration as JSON; empty: none
  repository::InlineFiles files;  // parameters."file:1/model.onnx"
};

// The JSON body of a REST call; an empty one is valid. Files are base64.
Result<RepositoryCall> ParseRepositoryCall(std::string_view body);

constexpr std::string_view kFileParameter = "file:";
// Of a parameter that is none of the above.
std::string UnknownRepositoryParameter(std::string_view key);

// Starts the load or unload of `model`; `done` as ModelManager's. INVALID_ARGUMENT: files without a
// configuration; others as ModelManager::Load, whose texts begin as Triton's do.
void LoadModel(serving::ModelManager& models, const std::string& model, RepositoryCall call,
               serving::ModelManager::Done done);
void UnloadModel(serving::ModelManager& models, const std::string& model, RepositoryCall call,
                 serving::ModelManager::Done done);

}  // namespace snug::server
