// Keeps the models that are loaded in line with a ModelServerConfig and with what lies under its base paths.
//
// Base paths lie anywhere and name versions as they like (00000123): a directory of links makes them a
// repository that the model manager reads. New versions are loaded before those that the policy no longer
// wants are unloaded.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "server/tfs_config.h"
#include "serving/model_manager.h"

namespace snug::server {

struct TfsModelsOptions {
  std::string root;                         // of the links: the manager's repository; an empty directory
  std::string config_file;                  // empty: none
  Duration config_poll{0};                  // 0: it is read once
  Duration poll = std::chrono::seconds(1);  // of the base paths; 0: looked at once for each config
  int threads = 1;                          // of each model
};

// Thread-safe. Owns one thread.
class TfsModels {
 public:
  using Done = serving::ModelManager::Done;

  TfsModels(TfsModelsOptions options, serving::ModelManager& models);
  ~TfsModels();
  TfsModels(const TfsModels&) = delete;
  TfsModels& operator=(const TfsModels&) = delete;

  // These models and no others from now on. `done` when all versions are loaded or failed, with the first
  // failure.
  void Apply(std::vector<TfsModelConfig> config, Done done);

 private:
  struct Model {
    TfsModelConfig config;
    std::map<int64_t, std::string> links;  // versions handed to the manager, and where they lie
    bool empty_told = false;
  };
  struct Change {
    std::vector<TfsModelConfig> config;
    Done done;
  };
  // Versions that newer ones stand in for now.
  struct Superseded {
    std::string model;
    std::vector<int64_t> versions;
  };
  // What the thread waits for; the manager's callbacks hold it too.
  struct Inbox {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Change> changes;
    std::deque<Superseded> superseded;
    bool stopping = false;
  };

  void Run();
  void TakeConfig(Change change);
  void ReadConfigFile();
  void Align(Model& model, const Done& done);
  Status Link(const Model& model, const std::map<int64_t, std::string>& wanted) const;
  void Retire(const Superseded& superseded);
  void Drop(const std::string& name);

  const TfsModelsOptions options_;
  serving::ModelManager& manager_;
  std::map<std::string, Model> models_;  // of the thread alone, as what follows
  std::string config_text_;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::thread thread_;
};

}  // namespace snug::server
