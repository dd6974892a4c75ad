// What people are told of a model: states and reasons, computed from rows and observations. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/decide.h"

namespace snug::controller {

enum class State { kPending, kLoading, kReady, kDegraded, kFailed, kRetired, kRemoving, kStopped };
std::string_view Name(State state);  // "READY"

struct CopyView {
  registry::CopyId id;
  std::string server;
  std::string state;  // PENDING, LOADING, READY, FAILED, DRAINING
  std::string reason, grpc, rest, description;
  std::string placed_because;
  uint64_t memory_bytes = 0;
};

struct VersionView {
  const registry::VersionRow* row = nullptr;
  State state = State::kPending;
  std::string reason;
};

struct ModelView {
  const registry::ModelRow* row = nullptr;
  State state = State::kPending;
  std::string reason;
  std::string engine, parser;  // of the newest version
  int copies_ready = 0;
  std::vector<registry::RouteRow> route;
  std::vector<VersionView> versions;
  std::vector<CopyView> copies;
  std::set<std::string> groups;

  const VersionView* Version(int64_t version) const;
};

// What the loop knows besides the rows.
struct Knowledge {
  deploy::ObservedState observed;
  std::map<placement::ModelVersion, std::string> unplaced;
  std::map<std::string, GroupUse> use;
  // Models whose newest traffic the front door has not taken yet.
  std::set<std::string> on_the_way;
  std::vector<std::string> warnings;
};

// `tables` must outlive the view.
ModelView MakeModelView(const registry::Tables& tables, const Knowledge& knowledge,
                        const registry::ModelRow& model);

}  // namespace snug::controller
