// The model repository on a local disk: models/NAME/VERSION/… plus an optional models/NAME/model.yaml.
//
// VERSION is a positive integer; leading zeros are accepted (00000123 is 123). Without model.yaml the engine,
// inputs and outputs are found from the files.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "repository/model_config.h"

namespace snug::repository {

// In a pipeline's version: a repository of the models that its steps name.
inline constexpr std::string_view kStepsDirectory = "steps";

struct ModelVersion {
  int64_t version = 0;
  std::string directory;  // absolute
};

struct ModelEntry {
  std::string name;
  std::string directory;  // absolute
  ModelConfig config;
  std::map<int64_t, ModelVersion> versions;  // ascending
  std::shared_ptr<const void> keeper;  // of a directory that is this entry's own; null: the repository's
};

// 1-128 characters of [A-Za-z0-9._-], not beginning with '.' or '-': safe in paths, URLs, metrics and cluster
// names.
Status CheckModelName(std::string_view name);
// "3", "00000003"; INVALID_ARGUMENT for anything else, 0, or a number over 2^53.
Result<int64_t> ParseVersion(std::string_view text);

// The versions in a directory. NOT_FOUND when it holds none. One that is still being written (it holds a file
// kIncompleteMarker) is not there yet.
Result<std::map<int64_t, ModelVersion>> ReadVersions(const std::string& directory);
// Reads models/NAME. NOT_FOUND when there is no such directory or it holds no version.
Result<ModelEntry> ReadModel(const std::string& root, const std::string& name);

// Names of directories that may be models, sorted; nothing of them is read.
Result<std::vector<std::string>> ModelNames(const std::string& root);

struct ScanResult {
  std::vector<ModelEntry> models;        // sorted by name
  std::map<std::string, Status> broken;  // by name: a bad model.yaml, no version, …
};
// Reads all models of a repository. Fails only when `root` itself cannot be read.
Result<ScanResult> Scan(const std::string& root);

// Resolves what a request names: "" (the highest version, or the label "default" when there is one), a
// number, or a label. NOT_FOUND with the versions and labels there are.
Result<int64_t> ResolveVersion(const ModelEntry& model, std::string_view wanted);

}  // namespace snug::repository
