#include "controller/decide.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace snug::controller {
namespace {

using registry::CopyId;
using registry::CopyRow;
using registry::ModelRow;
using registry::Tables;
using registry::VersionRow;
using registry::VersionState;

// A copy younger than this, or than half of its group's history, hardly shows in the group's measured mean.
constexpr double kMeasuredAfterSeconds = 600;
constexpr double kMeasuredHistoryRatio = 0.5;
constexpr uint32_t kEndpointWeightScale = 100;

bool Placed(const CopyRow& copy) {
  return copy.state == registry::CopyState::kPlaced;
}

std::vector<const VersionRow*> LiveVersions(const Tables& tables, const std::string& model) {
  std::vector<const VersionRow*> live;
  for (const VersionRow& row : tables.versions) {
    if (row.model == model && row.state == VersionState::kLive) live.push_back(&row);
  }
  return live;  // ascending, as the tables are
}

std::vector<const CopyRow*> CopiesOf(const Tables& tables, const std::string& model, int64_t version) {
  std::vector<const CopyRow*> copies;
  for (const CopyRow& row : tables.copies) {
    if (row.id.model == model && row.id.version == version) copies.push_back(&row);
  }
  return copies;
}

const deploy::ObservedServer* ServerOf(const Tables& tables, const deploy::ObservedState& observed,
                                       const std::string& group) {
  auto row = std::ranges::find(tables.servers, group, &registry::ServerRow::group);
  if (row == tables.servers.end()) return nullptr;
  auto it = observed.servers.find(row->id);
  return it == observed.servers.end() ? nullptr : &it->second;
}

// The newest version that has all the copies it shall have.
const VersionRow* NewestFull(const Tables& tables, const deploy::ObservedState& observed,
                             const ModelRow& model) {
  auto live = LiveVersions(tables, model.name);
  for (auto it = live.rbegin(); it != live.rend(); ++it) {
    size_t ready = ReadyCopies(tables, observed, model.name, (*it)->version).size();
    if (model.copies_wanted > 0 && ready >= static_cast<size_t>(model.copies_wanted)) return *it;
  }
  return nullptr;
}

// An automatic route moves on for good: what is older than a complete version retires.
void RetireOlder(const Facts& facts, std::vector<registry::Change>* changes) {
  for (const ModelRow& model : facts.tables.models) {
    if (model.route_fixed) continue;
    const VersionRow* newest = NewestFull(facts.tables, facts.observed, model);
    if (newest == nullptr) continue;
    for (const VersionRow* row : LiveVersions(facts.tables, model.name)) {
      if (row->version >= newest->version) break;
      changes->push_back(registry::RetireVersion{model.name, row->version,
                                                 fmt::format("version {} is ready", newest->version)});
    }
  }
}

// An older version of an automatic model is kept while it still serves, and never placed anew.
uint32_t CopiesWanted(const Tables& tables, const ModelRow& model, const VersionRow& version) {
  auto wanted = static_cast<uint32_t>(model.copies_wanted);
  bool superseded = !model.route_fixed && LiveVersions(tables, model.name).back()->version != version.version;
  if (!superseded) return wanted;
  auto copies = CopiesOf(tables, model.name, version.version);
  auto placed =
      static_cast<uint32_t>(std::ranges::count_if(copies, [](const CopyRow* c) { return Placed(*c); }));
  return std::min(wanted, placed);
}

// What the server says that the copy takes; 0 while it is not loaded.
uint64_t MeasuredMemory(const Facts& facts, const CopyId& id) {
  const deploy::ObservedServer* server = ServerOf(facts.tables, facts.observed, id.group);
  const deploy::ObservedCopy* copy = server == nullptr ? nullptr : server->Copy(id.model, id.version);
  return copy == nullptr ? 0 : copy->memory_bytes;
}

// What a copy of the version will take: what its copies take, else those of other versions of the model, and
// before any was loaded the size of its files.
uint64_t ExpectedMemory(const Facts& facts, const VersionRow& version) {
  uint64_t same = 0;
  uint64_t others = 0;
  for (const CopyRow& copy : facts.tables.copies) {
    if (copy.id.model != version.model) continue;
    uint64_t& most = copy.id.version == version.version ? same : others;
    most = std::max(most, MeasuredMemory(facts, copy.id));
  }
  if (same != 0) return same;
  return others != 0 ? others : static_cast<uint64_t>(std::max<int64_t>(version.bytes, 0));
}

uint64_t MemoryOf(const Facts& facts, const CopyId& id) {
  if (uint64_t measured = MeasuredMemory(facts, id); measured != 0) return measured;
  const VersionRow* version = facts.tables.Version(id.model, id.version);
  return version == nullptr ? 0 : ExpectedMemory(facts, *version);
}

// What a server takes besides its copies; 0 while that is unknown.
uint64_t ServerMemory(const deploy::ObservedServer& server) {
  uint64_t copies = 0;
  for (const auto& copy : server.copies) copies += copy.memory_bytes;
  return server.memory_bytes - std::min(server.memory_bytes, copies);
}

// What one more server will take: as much as the largest of those there are.
uint64_t ExpectedServerMemory(const Facts& facts) {
  uint64_t most = 0;
  for (const auto& [id, server] : facts.observed.servers) most = std::max(most, ServerMemory(server));
  return most;
}

// Memory that no copy answers for: the servers' programs and libraries, and copies that drain.
uint64_t ReservedMemory(const Facts& facts) {
  uint64_t reserved = 0;
  for (const auto& row : facts.tables.servers) {
    const deploy::ObservedServer* server = ServerOf(facts.tables, facts.observed, row.group);
    bool known = server != nullptr && server->memory_bytes != 0;
    reserved += known ? ServerMemory(*server) : ExpectedServerMemory(facts);
  }
  for (const CopyRow& copy : facts.tables.copies) {
    if (!Placed(copy)) reserved += MemoryOf(facts, copy.id);
  }
  return reserved;
}

placement::Isolation IsolationOf(const ModelRow& model) {
  switch (model.sharing) {
    case registry::Sharing::kGuaranteed:
      return placement::Isolation::kGuaranteed;
    case registry::Sharing::kAlone:
      return placement::Isolation::kAlone;
    case registry::Sharing::kShared:
      break;
  }
  return placement::Isolation::kShared;
}

placement::Wanted WantedOf(const Facts& facts, const ModelRow& model, const VersionRow& version) {
  const Tables& tables = facts.tables;
  placement::Wanted wanted;
  wanted.id = {model.name, version.version};
  wanted.share = model.share;
  wanted.copies = CopiesWanted(tables, model, version);
  wanted.department = model.department;
  wanted.memory_bytes = ExpectedMemory(facts, version);
  wanted.isolation = IsolationOf(model);
  wanted.keep_apart = model.keep_apart;
  wanted.pinned_groups = model.pinned_groups;
  // Copies that serve stay before copies that drain.
  for (const CopyRow* copy : CopiesOf(tables, model.name, version.version)) {
    if (Placed(*copy)) wanted.pinned_groups.push_back(copy->id.group);
  }
  return wanted;
}

placement::Group GroupOf(const Facts& facts, const DecideOptions& options, const registry::GroupRow& row) {
  placement::Group group;
  group.memory_bytes = options.group_memory_bytes;
  group.id = row.id;
  group.department = row.department;
  GroupUse use;
  if (auto it = facts.use.find(row.id); it != facts.use.end()) use = it->second;
  group.use = use.ratio;
  for (const CopyRow& copy : facts.tables.copies) {
    if (copy.id.group != row.id) continue;
    placement::HeldCopy held;
    held.id = {copy.id.model, copy.id.version};
    if (const ModelRow* model = facts.tables.Model(copy.id.model)) {
      held.share = model->share;
      held.isolation = IsolationOf(*model);
    }
    held.memory_bytes = MemoryOf(facts, copy.id);
    double age = facts.now - copy.created;
    held.measured = age >= std::max(kMeasuredAfterSeconds, use.seconds * kMeasuredHistoryRatio);
    group.copies.push_back(held);
  }
  return group;
}

placement::World MakeWorld(const Facts& facts, const DecideOptions& options) {
  placement::World world;
  world.groups_max = options.groups_max;
  world.quota_shares = options.quota_shares;
  world.new_group.memory_bytes = options.group_memory_bytes;
  // At least 1: nothing left is not the same as no limit.
  uint64_t reserved = std::min(ReservedMemory(facts), options.memory_bytes);
  if (options.memory_bytes != 0) world.memory_bytes = std::max<uint64_t>(options.memory_bytes - reserved, 1);
  world.new_group_memory_bytes = ExpectedServerMemory(facts);
  for (const auto& row : facts.tables.groups) world.groups.push_back(GroupOf(facts, options, row));
  for (const VersionRow& version : facts.tables.versions) {
    const ModelRow* model = facts.tables.Model(version.model);
    if (version.state == VersionState::kLive && model != nullptr) {
      world.wanted.push_back(WantedOf(facts, *model, version));
    }
  }
  return world;
}

// Turns a plan into changes of rows, making the new groups that it names.
class PlanToChanges {
 public:
  PlanToChanges(const Facts& facts, const DecideOptions& options, std::vector<registry::Change>* changes)
      : facts_(facts), options_(options), changes_(changes) {}

  void Run(const placement::Plan& plan) {
    for (const auto& assignment : plan.assignments) {
      if (assignment.is_new_group) NewGroup(assignment);
    }
    for (const auto& assignment : plan.assignments) Assign(assignment);
    std::map<CopyId, std::string> why;
    for (const auto& removal : plan.removals)
      why[{removal.id.model, removal.id.version, removal.group}] = removal.why;
    for (const CopyRow& copy : facts_.tables.copies) {
      if (!Placed(copy) || kept_.contains(copy.id)) continue;
      changes_->push_back(
          registry::DrainCopy{copy.id, why.contains(copy.id) ? why[copy.id] : "no longer wanted"});
    }
  }

  // Groups that get a copy or keep one.
  const std::set<std::string>& used_groups() const { return used_groups_; }
  const std::set<CopyId>& kept() const { return kept_; }

  // The plan's reasons with our names of the groups that it made; the longer names first, for "new group 1"
  // begins "new group 10".
  std::string Named(std::string why) const {
    for (auto made = made_.rbegin(); made != made_.rend(); ++made) {
      for (size_t at; (at = why.find(made->first)) != std::string::npos;) {
        why.replace(at, made->first.size(), made->second);
      }
    }
    return why;
  }

 private:
  void Assign(const placement::Assignment& assignment) {
    CopyId id{assignment.id.model, assignment.id.version, assignment.group};
    if (assignment.is_new_group) id.group = made_.at(assignment.group);
    used_groups_.insert(id.group);
    auto row = std::ranges::find(facts_.tables.copies, id, &CopyRow::id);
    kept_.insert(id);
    if (row == facts_.tables.copies.end()) {
      changes_->push_back(registry::PlaceCopy{id, Named(assignment.why)});
    } else if (!Placed(*row)) {
      changes_->push_back(registry::KeepCopy{id});
    }
  }

  void NewGroup(const placement::Assignment& assignment) {
    auto [it, is_new] = made_.try_emplace(assignment.group, "");
    if (!is_new) return;
    it->second = fmt::format("g{}", facts_.tables.next_group + static_cast<int64_t>(made_.size()) - 1);
    const ModelRow* model = facts_.tables.Model(assignment.id.model);
    registry::GroupRow group{it->second, model->department, options_.group_cores, facts_.now};
    changes_->push_back(registry::AddGroup{group, {it->second + "-0", it->second, facts_.now}});
  }

  const Facts& facts_;
  const DecideOptions& options_;
  std::vector<registry::Change>* changes_;
  std::map<std::string, std::string> made_;  // the plan's name → ours
  std::set<std::string> used_groups_;
  std::set<CopyId> kept_;
};

// Estimates may prove too low: what stands is not moved, but people are told.
void WarnOfMemory(const Facts& facts, const DecideOptions& options, std::vector<std::string>* warnings) {
  uint64_t used = ReservedMemory(facts);
  for (const CopyRow& copy : facts.tables.copies) used += Placed(copy) ? MeasuredMemory(facts, copy.id) : 0;
  if (options.memory_bytes == 0 || used <= options.memory_bytes) return;
  warnings->push_back(fmt::format("servers and models take {} MiB, over the limit of {} MiB (--memory-mib)",
                                  used >> 20, options.memory_bytes >> 20));
}

// Whether a server is known not to hold the copy.
bool HasLeft(const Facts& facts, const CopyId& copy) {
  const deploy::ObservedServer* server = ServerOf(facts.tables, facts.observed, copy.group);
  if (server == nullptr) return true;
  switch (server->process.state) {
    case deploy::ProcessState::kReady:
      return server->Copy(copy.model, copy.version) == nullptr;
    case deploy::ProcessState::kStopped:
    case deploy::ProcessState::kBackoff:
      return true;
    default:
      return false;  // it may hold anything
  }
}

void RemoveDrained(const Facts& facts, const std::set<CopyId>& kept, std::vector<registry::Change>* changes) {
  for (const CopyRow& copy : facts.tables.copies) {
    bool done = !Placed(copy) && !kept.contains(copy.id) && facts.drained.contains(copy.id);
    if (done && HasLeft(facts, copy.id)) changes->push_back(registry::RemoveCopy{copy.id});
  }
}

void RemoveEmpty(const Facts& facts, const std::set<std::string>& used_groups,
                 std::vector<registry::Change>* changes) {
  for (const VersionRow& version : facts.tables.versions) {
    bool held = !CopiesOf(facts.tables, version.model, version.version).empty();
    if (version.state == VersionState::kDeleting && !held) {
      changes->push_back(registry::RemoveVersion{version.model, version.version});
    }
  }
  for (const auto& group : facts.tables.groups) {
    bool held =
        std::ranges::any_of(facts.tables.copies, [&](const CopyRow& c) { return c.id.group == group.id; });
    if (!held && !used_groups.contains(group.id)) changes->push_back(registry::RemoveGroup{group.id});
  }
}

std::optional<routing::Endpoint> EndpointOf(const ReadyCopy& copy, double weight) {
  if (weight <= 0) return std::nullopt;
  auto rounded = static_cast<uint32_t>(std::max(1.0, std::round(weight)));
  return routing::Endpoint{copy.server->host, copy.server->grpc_port, copy.server->rest_port, rounded};
}

// All ready copies of a version share its weight.
void AddEndpoints(const std::vector<ReadyCopy>& copies, uint32_t weight, routing::ModelTraffic* traffic) {
  if (copies.empty()) return;
  double each = static_cast<double>(weight) * kEndpointWeightScale / static_cast<double>(copies.size());
  for (const ReadyCopy& copy : copies) {
    if (auto endpoint = EndpointOf(copy, each)) traffic->endpoints.push_back(*endpoint);
  }
}

}  // namespace

Result<Changes> NextChanges(const Facts& facts, const DecideOptions& options) {
  Changes result;
  RetireOlder(facts, &result.changes);
  if (!result.changes.empty()) return result;  // placement looks at the world without them
  SNUG_ASSIGN_OR_RETURN(placement::Plan plan, placement::Place(MakeWorld(facts, options), options.policy));
  PlanToChanges acting(facts, options, &result.changes);
  acting.Run(plan);
  RemoveDrained(facts, acting.kept(), &result.changes);
  RemoveEmpty(facts, acting.used_groups(), &result.changes);
  WarnOfMemory(facts, options, &result.warnings);
  for (const auto& unplaced : plan.unplaced) result.unplaced[unplaced.id] = acting.Named(unplaced.why);
  return result;
}

std::string StorePath(const std::string& store_dir, const std::string& model, int64_t version) {
  return fmt::format("{}/{}/{}", store_dir, model, version);
}

deploy::DesiredState DesiredServers(const Tables& tables, const std::set<CopyId>& drained,
                                    const std::string& store_dir) {
  deploy::DesiredState desired;
  for (const auto& row : tables.servers) {
    auto group = std::ranges::find(tables.groups, row.group, &registry::GroupRow::id);
    deploy::DesiredServer server{row.id, group == tables.groups.end() ? 1.0 : group->cores, {}};
    for (const CopyRow& copy : tables.copies) {
      const VersionRow* version = tables.Version(copy.id.model, copy.id.version);
      bool here = copy.id.group == row.group && (Placed(copy) || !drained.contains(copy.id));
      if (!here || version == nullptr) continue;
      server.copies.push_back({copy.id.model, copy.id.version,
                               StorePath(store_dir, copy.id.model, copy.id.version), version->config_yaml});
    }
    desired.servers.push_back(std::move(server));
  }
  return desired;
}

std::vector<ReadyCopy> ReadyCopies(const Tables& tables, const deploy::ObservedState& observed,
                                   const std::string& model, int64_t version) {
  std::vector<ReadyCopy> ready;
  for (const CopyRow* row : CopiesOf(tables, model, version)) {
    const deploy::ObservedServer* server = ServerOf(tables, observed, row->id.group);
    if (!Placed(*row) || server == nullptr || server->process.state != deploy::ProcessState::kReady) continue;
    const deploy::ObservedCopy* copy = server->Copy(model, version);
    if (copy != nullptr && copy->state == deploy::CopyState::kReady) ready.push_back({row, server});
  }
  return ready;
}

std::vector<registry::RouteRow> EffectiveRoute(const Tables& tables, const deploy::ObservedState& observed,
                                               const ModelRow& model) {
  std::vector<registry::RouteRow> route;
  if (model.route_fixed) {
    for (const auto& row : tables.routes) {
      if (row.model == model.name) route.push_back(row);
    }
    return route;
  }
  const VersionRow* chosen = NewestFull(tables, observed, model);
  size_t most = 0;
  auto live = LiveVersions(tables, model.name);
  for (auto it = live.rbegin(); chosen == nullptr && it != live.rend(); ++it) {
    most = std::max(most, ReadyCopies(tables, observed, model.name, (*it)->version).size());
  }
  for (auto it = live.rbegin(); chosen == nullptr && it != live.rend(); ++it) {
    if (ReadyCopies(tables, observed, model.name, (*it)->version).size() == most) chosen = *it;
  }
  if (chosen != nullptr) route.push_back({model.name, chosen->version, 100});
  return route;
}

routing::Snapshot MakeSnapshot(const Tables& tables, const deploy::ObservedState& observed) {
  routing::Snapshot snapshot;
  for (const VersionRow& version : tables.versions) {
    if (version.state != VersionState::kLive) continue;
    routing::ModelTraffic traffic;
    AddEndpoints(ReadyCopies(tables, observed, version.model, version.version), 1, &traffic);
    snapshot.models[fmt::format("{}@{}", version.model, version.version)] = traffic;
    if (!version.label.empty()) snapshot.models[version.model + "@" + version.label] = traffic;
  }
  for (const ModelRow& model : tables.models) {
    if (LiveVersions(tables, model.name).empty()) continue;
    routing::ModelTraffic& traffic = snapshot.models[model.name];
    for (const auto& row : EffectiveRoute(tables, observed, model)) {
      AddEndpoints(ReadyCopies(tables, observed, model.name, row.version), static_cast<uint32_t>(row.weight),
                   &traffic);
    }
  }
  return snapshot;
}

}  // namespace snug::controller
