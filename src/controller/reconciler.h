// The loop's one round: observe, decide, write the decision down, publish traffic, tell the deployer. Every
// step can be the last one before a crash: what follows is derived again from rows and observations.
//
// Pass is called by one thread; the rest is thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "controller/decide.h"
#include "controller/store.h"
#include "controller/use_history.h"
#include "controller/view.h"
#include "deploy/deployer.h"
#include "registry/registry.h"

namespace snug::controller {

// Where snapshots go: the ADS server, or a test.
class Traffic {
 public:
  virtual ~Traffic() = default;
  virtual Status Publish(const routing::Snapshot& snapshot) = 0;
};

struct ReconcilerOptions {
  DecideOptions decide;
  // From leaving the front door's configuration to unloading: what is under way ends, and Envoy has taken the
  // change.
  Duration drain_delay = std::chrono::seconds(1);
};

struct ReconcileMetrics {
  LatencyHistogram pass_seconds;
  Counter passes, failures, changes, publications;
};

class Reconciler {
 public:
  Reconciler(registry::Registry& registry, deploy::Deployer& deployer, Traffic& traffic, Store& store,
             std::mutex& store_mutex, const Clock& clock, ReconcilerOptions options);

  // One round. Errors are also kept as a warning until a round succeeds. Returns how long until time alone
  // makes another round useful.
  Result<Duration> Pass();

  // Everything that is published up to now has been taken by the front door.
  uint64_t published() const;
  void SetApplied(uint64_t serial);

  // What is known besides the rows, and the rows that it belongs to.
  Knowledge Know() const;
  std::shared_ptr<const registry::Tables> tables() const;  // as of the last round; null before
  bool ready() const;                                      // a round has been completed
  const ReconcileMetrics& metrics() const { return metrics_; }

 private:
  Result<Duration> Round();
  Status Settle(const deploy::ObservedState& observed, registry::Tables* tables);
  Status Carry(const std::vector<registry::Change>& changes);
  Status PublishTraffic(const registry::Tables& tables, const deploy::ObservedState& observed);
  std::set<registry::CopyId> Drained(TimePoint now) const;
  void NoteWithdrawn(const registry::Tables& tables, TimePoint now);
  void MeasureUse(const registry::Tables& tables, const deploy::ObservedState& observed);
  void Remember(const registry::Tables& tables, const deploy::ObservedState& observed);
  Duration NextDeadline(TimePoint now) const;

  registry::Registry& registry_;
  deploy::Deployer& deployer_;
  Traffic& traffic_;
  Store& store_;
  std::mutex& store_mutex_;
  const Clock& clock_;
  ReconcilerOptions options_;

  UseHistory use_;
  bool use_loaded_ = false;
  double use_saved_ = 0;
  std::optional<routing::Snapshot> snapshot_;
  std::map<registry::CopyId, TimePoint> withdrawn_;  // since when draining copies are out of the front door
  std::map<placement::ModelVersion, std::string> unplaced_;
  std::vector<std::string> warnings_;
  std::map<std::string, GroupUse> group_use_;
  ReconcileMetrics metrics_;

  mutable std::mutex mutex_;
  Knowledge knowledge_;
  std::shared_ptr<const registry::Tables> tables_;
  std::string failure_;
  uint64_t published_ = 0, applied_ = 0;
  std::map<std::string, uint64_t> changed_at_;  // model → the publication that changed its traffic last
};

}  // namespace snug::controller
