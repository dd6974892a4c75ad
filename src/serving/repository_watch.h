// Keeps what is loaded in line with models that come and go: looks at them from time to time, and tells the
// manager.
//
// Where models are found is the caller's (a repository's directory, TensorFlow Serving's base paths). What is
// loaded and unloaded is PlanVersions', and when files may be loaded is Settling's. A model that cannot be
// read (a broken model.yaml) is reported and left as it is; one that is gone is unloaded.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "repository/fingerprint.h"
#include "repository/repository.h"
#include "serving/model_manager.h"
#include "serving/settling.h"

namespace snug::serving {

// The shortest time for which the files of a polled repository must have stayed the same.
constexpr std::chrono::seconds kSettleMin{1};

struct WatchOptions {
  Duration poll{0};            // 0: only when asked
  Duration settle{0};          // see Settling; 0: files are taken as they are
  bool reload_changed = true;  // a loaded version whose files change is loaded anew
  const Clock* clock = &SystemClock();
};

// Thread-safe. Owns one thread.
class RepositoryWatch {
 public:
  using Done = ModelManager::Done;
  // What is there now. An error changes nothing. Called on the watch's thread.
  using Source = std::function<Result<repository::ScanResult>()>;

  // The manager must outlive it.
  RepositoryWatch(WatchOptions options, ModelManager& manager, Source source);
  ~RepositoryWatch();
  RepositoryWatch(const RepositoryWatch&) = delete;
  RepositoryWatch& operator=(const RepositoryWatch&) = delete;

  // Looks now. `done` when what this look began is loaded or failed, with the first failure.
  void Look(Done done);

 private:
  using Files = std::map<int64_t, repository::Fingerprint>;
  struct Watched {
    bool is_new = true;
    repository::ModelConfig config;  // as handed to the manager, as what follows
    Files versions;
  };
  // What the thread waits for; the manager's callbacks hold it too.
  struct Inbox {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Done> looks;
    std::vector<Done> looks_after;  // the models that are busy now
    std::set<std::string> busy;     // their last change is still under way
    bool stopping = false;
  };

  void Run();
  void LookAround(Done done);
  bool LookAt(repository::ModelEntry entry, const Done& done);
  Files SettledFiles(const repository::ModelEntry& entry, bool& config_settled);
  std::set<int64_t> Changes(repository::ModelEntry& entry, const Files& settled, Watched& watched) const;
  void UnloadMissing(const std::set<std::string>& there);
  void TellOnce(const std::string& name, const Status& problem);

  const WatchOptions options_;
  ModelManager& manager_;
  const Source source_;
  Settling settling_;  // of the thread, as what follows
  std::map<std::string, Watched> watched_;
  std::map<std::string, std::string> told_;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::thread thread_;
};

}  // namespace snug::serving
