// A ModelServerConfig and what lies under its base paths, as the models that a RepositoryWatch keeps loaded.
//
// As TensorFlow Serving: a version directory is taken as it is when it is first seen, and not looked at
// again. (A version whose files change while it is loaded is loaded again all the same: see ModelManager.)
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "repository/repository.h"
#include "server/tfs_config.h"
#include "serving/model_manager.h"
#include "serving/repository_watch.h"

namespace snug::server {

struct TfsModelsOptions {
  std::string config_file;                  // empty: none
  Duration config_poll{0};                  // 0: it is read once
  Duration poll = std::chrono::seconds(1);  // of the base paths; 0: looked at once for each config
  int threads = 1;                          // of each model
};

// Thread-safe.
class TfsModels {
 public:
  using Done = serving::ModelManager::Done;

  TfsModels(TfsModelsOptions options, serving::ModelManager& models);

  // These models and no others from now on. `done` when all versions are loaded or failed, with the first
  // failure.
  void Apply(std::vector<TfsModelConfig> config, Done done);

 private:
  repository::ScanResult Look();
  void ReadConfigFile();
  repository::ScanResult ReadBasePaths(const std::vector<TfsModelConfig>& config) const;

  const TfsModelsOptions options_;
  std::mutex mutex_;
  std::vector<TfsModelConfig> config_;
  bool config_is_new_ = false;
  // Of the watch's thread.
  std::string config_text_;
  TimePoint next_config_, next_paths_;
  repository::ScanResult last_;
  serving::RepositoryWatch watch_;  // last: its thread uses the rest
};

}  // namespace snug::server
