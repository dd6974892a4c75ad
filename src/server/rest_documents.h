// The JSON documents of KServe v2's REST but infer: metadata, configuration, statistics, repository index.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "server/core.h"
#include "serving/model_manager.h"

namespace snug::server {

std::string ServerMetadataJson(const Core& core);
std::string ModelMetadataJson(const serving::ModelDescription& model);
// Triton's model configuration, as far as Snug has its like.
std::string ModelConfigJson(const serving::ModelDescription& model);
std::string StatisticsJson(const std::vector<serving::ModelManager::VersionNumbers>& numbers);
std::string IndexJson(const std::vector<serving::VersionStatus>& index);

// The slowest requests, the slowest first.
std::string SlowestJson(const std::vector<serving::SlowRequest>& requests);

}  // namespace snug::server
