// What plug-ins say is foreign: texts are cleaned and reports checked before anybody believes them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <engine.h>  // of api/; quotes would find this folder's own
#include "base/status.h"
#include "base/tensor.h"
#include "base/utf8.h"
#include "engine/engine.h"

namespace snug::engine {

constexpr size_t kNameBytesMax = 512;  // of a tensor's name
constexpr uint32_t kSignaturesMax = 64;

// The Status of a call that returned `code`. INTERNAL for a number that is no code.
Status PluginStatus(std::string_view call, snug_code code, const snug_error& error);

// Checks and copies a model's report. FAILED_PRECONDITION naming the tensor and what is wrong with it.
Result<ModelInfo> CheckModelInfo(const snug_model_info& info);
// The rules that hold for ModelInfo wherever it came from: unique names, dtypes, ranks, dimensions, batch.
Status CheckSpecs(const ModelInfo& info);

}  // namespace snug::engine
