// TensorFlow Serving's ModelServerConfig, and what its version policies choose. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace snug::server {

constexpr uint64_t kTfsConfigBytesMax = uint64_t{4} << 20;

struct TfsVersionPolicy {
  enum class Kind { kLatest, kAll, kSpecific };
  Kind kind = Kind::kLatest;
  uint32_t latest = 1;  // how many
  std::vector<int64_t> specific;

  bool operator==(const TfsVersionPolicy&) const = default;
};

struct TfsModelConfig {
  std::string name;
  std::string base_path;  // absolute; holds directories named by version
  TfsVersionPolicy policy;
  std::map<std::string, int64_t> labels;
};

// Text format, as --model_config_file has it; `origin` names it in errors. INVALID_ARGUMENT with line and
// column.
Result<std::vector<TfsModelConfig>> ParseTfsConfig(std::string_view text, std::string_view origin);
// A serialised ModelServerConfig, as ReloadConfig carries it.
Result<std::vector<TfsModelConfig>> DecodeTfsConfig(std::string_view bytes);
// Of one model of the command line too: its name and an absolute path.
Status CheckTfsModel(const TfsModelConfig& model);

// Those of `on_disk` (ascending) that the policy wants, ascending.
std::vector<int64_t> ChooseVersions(const TfsVersionPolicy& policy, const std::vector<int64_t>& on_disk);

// The path of --monitoring_config_file's prometheus_config; empty when that is not enabled.
Result<std::string> ParseMonitoringPath(std::string_view text, std::string_view origin);
// Whether a --batching_parameters_file is one. What it says is not used.
Status CheckBatchingParameters(std::string_view text, std::string_view origin);

}  // namespace snug::server
