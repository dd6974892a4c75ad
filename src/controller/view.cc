#include "controller/view.h"

#include <algorithm>

namespace snug::controller {
namespace {

using registry::Tables;
using registry::VersionRow;
using registry::VersionState;

const deploy::ObservedServer* FindServer(const Tables& tables, const Knowledge& knowledge,
                                         const std::string& group, std::string* id) {
  auto row = std::ranges::find(tables.servers, group, &registry::ServerRow::group);
  if (row == tables.servers.end()) return nullptr;
  *id = row->id;
  auto it = knowledge.observed.servers.find(row->id);
  return it == knowledge.observed.servers.end() ? nullptr : &it->second;
}

CopyView MakeCopyView(const Tables& tables, const Knowledge& knowledge, const registry::CopyRow& row) {
  CopyView view;
  view.id = row.id;
  view.state = "PENDING";
  view.placed_because = row.placed_because;
  const deploy::ObservedServer* server = FindServer(tables, knowledge, row.id.group, &view.server);
  if (server == nullptr) {
    view.reason = "its server is about to start";
  } else {
    if (server->grpc_port != 0) view.grpc = fmt::format("{}:{}", server->host, server->grpc_port);
    if (server->rest_port != 0) view.rest = fmt::format("{}:{}", server->host, server->rest_port);
    if (const auto* copy = server->Copy(row.id.model, row.id.version)) {
      view.state = std::string(deploy::Name(copy->state));
      view.reason = copy->reason;
      view.memory_bytes = copy->memory_bytes;
      view.description = copy->description;
    }
    bool serves = server->process.state == deploy::ProcessState::kReady;
    if (!serves && view.state != "FAILED") {
      view.state = "PENDING";
      view.reason = fmt::format("server {} is {}: {}", view.server, deploy::Name(server->process.state),
                                server->process.reason);
    }
  }
  if (row.state == registry::CopyState::kDraining) view.state = "DRAINING";
  return view;
}

State LiveState(const std::vector<const CopyView*>& copies, int wanted, const std::string& unplaced,
                std::string* reason) {
  auto count = [&](const char* state) {
    return std::ranges::count_if(copies, [&](const CopyView* copy) { return copy->state == state; });
  };
  if (wanted == 0) return State::kStopped;
  if (count("READY") >= wanted) return State::kReady;
  for (const char* state : {"FAILED", "PENDING", "LOADING"}) {
    for (const CopyView* copy : copies) {
      if (reason->empty() && copy->state == state)
        *reason = fmt::format("copy in {}: {}", copy->id.group, copy->reason);
    }
  }
  if (!unplaced.empty()) *reason = unplaced + (reason->empty() ? "" : "; " + *reason);
  // Right after a deployment or a scale: the loop has not looked yet.
  if (reason->empty())
    *reason = fmt::format("{} of {} copies ready, the others are about to be placed", count("READY"), wanted);
  if (count("READY") > 0) return State::kDegraded;
  if (count("FAILED") > 0) return State::kFailed;
  if (copies.empty() || count("PENDING") > 0) return copies.empty() ? State::kPending : State::kLoading;
  return State::kLoading;
}

VersionView MakeVersionView(const Knowledge& knowledge, const ModelView& model, const VersionRow& row) {
  VersionView view{&row, State::kPending, ""};
  if (row.state == VersionState::kDeleting) view.state = State::kRemoving;
  if (row.state == VersionState::kRetired) view.state = State::kRetired;
  if (row.state != VersionState::kLive) return view;
  std::vector<const CopyView*> copies;
  for (const CopyView& copy : model.copies) {
    if (copy.id.version == row.version && copy.state != "DRAINING") copies.push_back(&copy);
  }
  auto unplaced = knowledge.unplaced.find({row.model, row.version});
  view.state = LiveState(copies, model.row->copies_wanted,
                         unplaced == knowledge.unplaced.end() ? "" : unplaced->second, &view.reason);
  if (view.state == State::kReady && knowledge.on_the_way.contains(row.model)) {
    view.state = State::kLoading;
    view.reason = "it is on its way to the front door";
  }
  return view;
}

// The worst of the versions that take default traffic decides; DEGRADED as long as one of them serves.
void SumUp(ModelView* model) {
  std::vector<const VersionView*> routed;
  for (const auto& row : model->route) {
    const VersionView* version = model->Version(row.version);
    if (version != nullptr && row.weight > 0) routed.push_back(version);
  }
  bool removing =
      std::ranges::all_of(model->versions, [](const auto& v) { return v.state == State::kRemoving; });
  if (removing) {
    model->state = State::kRemoving;
    return;
  }
  if (routed.empty()) {
    model->state = model->row->copies_wanted == 0 ? State::kStopped : State::kPending;
    model->reason = "the route names no version with a weight above 0";
    return;
  }
  model->state = State::kReady;
  bool some_serve = false;
  for (const VersionView* version : routed) {
    some_serve = some_serve || version->state == State::kReady || version->state == State::kDegraded;
    bool worse = version->state != State::kReady &&
                 (model->state == State::kReady || version->state == State::kFailed);
    if (!worse) continue;
    model->state = version->state;
    model->reason = fmt::format("version {}: {}", version->row->version,
                                version->reason.empty() ? Name(version->state) : version->reason);
  }
  if (some_serve && model->state != State::kReady) model->state = State::kDegraded;
  if (model->state == State::kReady || model->state == State::kStopped) model->reason.clear();
}

}  // namespace

std::string_view Name(State state) {
  constexpr std::string_view kNames[] = {"PENDING", "LOADING", "READY",    "DEGRADED",
                                         "FAILED",  "RETIRED", "REMOVING", "STOPPED"};
  return kNames[static_cast<size_t>(state)];
}

const VersionView* ModelView::Version(int64_t version) const {
  auto it = std::ranges::find_if(versions, [&](const VersionView& v) { return v.row->version == version; });
  return it == versions.end() ? nullptr : &*it;
}

ModelView MakeModelView(const Tables& tables, const Knowledge& knowledge, const registry::ModelRow& model) {
  ModelView view;
  view.row = &model;
  for (const auto& row : tables.copies) {
    if (row.id.model != model.name) continue;
    view.copies.push_back(MakeCopyView(tables, knowledge, row));
    view.groups.insert(row.id.group);
  }
  for (const VersionRow& row : tables.versions) {
    if (row.model != model.name) continue;
    view.versions.push_back(MakeVersionView(knowledge, view, row));
    view.engine = row.engine;
    view.parser = row.parser;
  }
  view.route = EffectiveRoute(tables, knowledge.observed, model);
  for (const auto& row : view.route) {
    if (row.weight == 0) continue;
    view.copies_ready +=
        static_cast<int>(ReadyCopies(tables, knowledge.observed, model.name, row.version).size());
  }
  SumUp(&view);
  return view;
}

}  // namespace snug::controller
