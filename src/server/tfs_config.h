// TensorFlow Serving's ModelServerConfig. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "repository/version_policy.h"

namespace snug::server {

constexpr uint64_t kTfsConfigBytesMax = uint64_t{4} << 20;

struct TfsModelConfig {
  std::string name;
  std::string base_path;  // absolute; holds directories named by version
  repository::VersionPolicy policy{repository::VersionPolicy::Kind::kLatest, 1, {}};
  std::map<std::string, int64_t> labels;
};

// Text format, as --model_config_file has it; `origin` names it in errors. INVALID_ARGUMENT with line and
// column.
Result<std::vector<TfsModelConfig>> ParseTfsConfig(std::string_view text, std::string_view origin);
// A serialised ModelServerConfig, as ReloadConfig carries it.
Result<std::vector<TfsModelConfig>> DecodeTfsConfig(std::string_view bytes);
// Of one model of the command line too: its name and an absolute path.
Status CheckTfsModel(const TfsModelConfig& model);

// The path of --monitoring_config_file's prometheus_config; empty when that is not enabled.
Result<std::string> ParseMonitoringPath(std::string_view text, std::string_view origin);
// Whether a --batching_parameters_file is one. What it says is not used.
Status CheckBatchingParameters(std::string_view text, std::string_view origin);

}  // namespace snug::server
