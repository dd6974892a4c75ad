// What the controller wants next, as pure functions of what the registry says and what was observed. The
// reconciler (reconciler.h) is the loop that acts on the answers.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "deploy/deployer.h"
#include "placement/place.h"
#include "registry/registry.h"
#include "routing/snapshot.h"

namespace snug::controller {

struct DecideOptions {
  placement::Policy policy;
  double group_cores = 1;  // the CPU share that stands for a card in a new group
  uint32_t groups_max = 64;
  uint64_t memory_bytes = 0;        // for models and their servers, all groups together; 0: not limited
  uint64_t group_memory_bytes = 0;  // for the models of a group; 0: not limited
  std::map<std::string, double> quota_shares;  // department → the sum of its copies' shares at most
};

struct GroupUse {
  double ratio = 0;    // of the group's cores
  double seconds = 0;  // of history behind it
};

struct Facts {
  const registry::Tables& tables;
  const deploy::ObservedState& observed;
  const std::map<std::string, GroupUse>& use;
  const std::set<registry::CopyId>& drained;  // out of the front door long enough
  double now = 0;                             // seconds since 1970
};

struct Changes {
  std::vector<registry::Change> changes;
  std::map<placement::ModelVersion, std::string> unplaced;  // why some copies have no place
  std::vector<std::string> warnings;                        // what people should know of the whole
};

// The next changes to the registry; none when all is as it shall be. Applied and asked again until there are
// none. Requires observed.complete.
Result<Changes> NextChanges(const Facts& facts, const DecideOptions& options);

deploy::DesiredState DesiredServers(const registry::Tables& tables, const std::set<registry::CopyId>& drained,
                                    const std::string& store_dir);

// Placed copies in servers that are READY and say that the copy is.
struct ReadyCopy {
  const registry::CopyRow* row = nullptr;
  const deploy::ObservedServer* server = nullptr;
};
std::vector<ReadyCopy> ReadyCopies(const registry::Tables& tables, const deploy::ObservedState& observed,
                                   const std::string& model, int64_t version);

// The weights that default traffic goes by now: the stored route, or for an automatic one the newest version
// that has all its copies ready, else the one with the most.
std::vector<registry::RouteRow> EffectiveRoute(const registry::Tables& tables,
                                               const deploy::ObservedState& observed,
                                               const registry::ModelRow& model);

routing::Snapshot MakeSnapshot(const registry::Tables& tables, const deploy::ObservedState& observed);

// "DIR/<model>/<version>"
std::string StorePath(const std::string& store_dir, const std::string& model, int64_t version);

}  // namespace snug::controller
