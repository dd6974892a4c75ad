// The model repository on a local disk: models/NAME/VERSION/… plus an optional models/NAME/model.yaml.
//
// VERSION is a positive integer; leading zeros are accepted (00000123 is 123). Without model.yaml the engine,
// inputs and outputs are found from the files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace snug::repository {

// Of one priority of requests.
struct PriorityConfig {
  int queue_limit = 0;            // requests that wait; 0: the model's alone
  int timeout_ms = 0;             // of waiting; 0: the requests' own deadlines alone
  bool delay_on_timeout = false;  // served after all others instead of refused

  bool operator==(const PriorityConfig&) const = default;
};

// Key `batching`: executing several requests as one.
struct BatchingConfig {
  enum class Mode { kAuto, kOn, kOff };
  Mode mode = Mode::kAuto;     // auto: where loading measures that it pays
  int rows_max = 0;            // 0: the last of `sizes`, else the best of those measured
  std::vector<int64_t> sizes;  // allowed ones, ascending; empty: any
  int delay_us_max = 0;
  std::vector<PriorityConfig> priorities;  // the highest first; empty: one for all
  int default_priority = 1;

  bool operator==(const BatchingConfig&) const = default;
};

// What model.yaml may say. Unknown keys are errors that name the known ones.
struct ModelConfig {
  std::string engine = "auto";
  std::string engine_options_json = "{}";  // key `engine_options`
  std::string isolation = "default";       // default | in-process | process
  std::string parser;                      // empty: none, only tensor protocols work
  std::string parser_options_json = "{}";  // key `parser_options`
  int threads = 1;                         // per instance
  int instances = 1;
  int execution_timeout_s = 300;          // after which a process of its own is taken for hung and killed
  int queue_limit = 256;                  // requests waiting for an instance before RESOURCE_EXHAUSTED
  std::map<std::string, int64_t> labels;  // "stable" -> 3
  BatchingConfig batching;
};

struct ModelVersion {
  int64_t version = 0;
  std::string directory;  // absolute
};

struct ModelEntry {
  std::string name;
  std::string directory;  // absolute
  ModelConfig config;
  std::map<int64_t, ModelVersion> versions;  // ascending
};

// 1-128 characters of [A-Za-z0-9._-], not beginning with '.' or '-': safe in paths, URLs, metrics and cluster
// names.
Status CheckModelName(std::string_view name);
// "3", "00000003"; INVALID_ARGUMENT for anything else, 0, or a number over 2^53.
Result<int64_t> ParseVersion(std::string_view text);

// Parses model.yaml's text. `origin` names the file in errors ("models/ocr/model.yaml:3: unknown key …").
Result<ModelConfig> ParseModelConfig(std::string_view yaml, std::string_view origin);

// Reads models/NAME. NOT_FOUND when there is no such directory or it holds no version.
Result<ModelEntry> ReadModel(const std::string& root, const std::string& name);

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
