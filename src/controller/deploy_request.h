// What a deployment asks for: query parameters over the uploaded model.yaml over defaults. Pure but for
// looking at the unpacked files.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "registry/rows.h"

namespace snug::controller {

inline constexpr int kCopiesMax = 32;
inline constexpr double kShareMin = 0.01, kShareMax = 1.0, kShareDefault = 0.1;
inline constexpr char kDepartmentDefault[] = "default";
inline constexpr size_t kKeepApartMax = 64;     // models
inline constexpr size_t kPinnedGroupsMax = 32;  // groups

using Query = std::vector<std::pair<std::string, std::string>>;

// The model's own settings; absent: as they are, or the default for a new model.
struct DeployRequest {
  std::optional<double> share;
  std::optional<int> copies;
  std::optional<std::string> department;
  std::optional<registry::Sharing> sharing;
  std::optional<std::vector<std::string>> keep_apart, pinned_groups;  // empty: none any more
  std::optional<int64_t> version;
  std::string label;
};

// INVALID_ARGUMENT names the parameter, what was given, what was expected; unknown parameters name the known
// ones.
Result<DeployRequest> ParseDeployQuery(const Query& query);

// The model's row after the deployment; `old` is nullptr for a new model. INVALID_ARGUMENT: kept apart from
// itself, or newly pinned to a group that is not among `groups`.
Result<registry::ModelRow> MergeModel(const registry::ModelRow* old, const DeployRequest& request,
                                      const std::string& name, double now,
                                      const std::vector<registry::GroupRow>& groups);

struct MergedConfig {
  std::string yaml;  // complete, checked, with the label
  std::string engine;
  std::string parser;
  std::vector<std::string> step_models;  // of a pipeline
  bool labels_left_out = false;          // the upload gave `labels`, which are the registry's
};

// `uploaded_yaml` may be empty.
Result<MergedConfig> MergeConfig(const std::string& uploaded_yaml, const Query& query,
                                 const std::string& label, int64_t version);

// Whether the engine's and parser's plug-ins are there, and for "auto" whether the files are recognised.
// `plugins_dir` empty: only the files are looked at.
Status CheckRunnable(const MergedConfig& config, const std::string& files_dir,
                     const std::string& plugins_dir);

}  // namespace snug::controller
