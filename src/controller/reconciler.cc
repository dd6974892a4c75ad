#include "controller/reconciler.h"

#include <algorithm>

#include "base/log.h"

namespace snug::controller {
namespace {

constexpr int kSettleRoundsMax = 20;  // changes follow from changes; more than a few is a bug
constexpr Duration kTick = std::chrono::milliseconds(500);
constexpr Duration kWaitMin = std::chrono::milliseconds(5);
constexpr double kUseSavePeriodSeconds = 60;
constexpr char kWho[] = "controller";

std::string ModelOf(const std::string& key) {
  return key.substr(0, key.find('@'));
}

}  // namespace

Reconciler::Reconciler(registry::Registry& registry, deploy::Deployer& deployer, Traffic& traffic,
                       Store& store, std::mutex& store_mutex, const Clock& clock, ReconcilerOptions options)
    : registry_(registry),
      deployer_(deployer),
      traffic_(traffic),
      store_(store),
      store_mutex_(store_mutex),
      clock_(clock),
      options_(std::move(options)) {}

Result<Duration> Reconciler::Pass() {
  TimePoint start = clock_.Now();
  auto result = Round();
  metrics_.pass_seconds.Observe(clock_.Now() - start);
  metrics_.passes.Add();
  std::lock_guard lock(mutex_);
  std::string failure = result.ok() ? "" : result.status().ToString();
  if (!result.ok()) metrics_.failures.Add();
  if (!failure.empty() && failure != failure_) log::Error("reconcile round failed", {{"why", failure}});
  failure_ = failure;
  return result;
}

Result<Duration> Reconciler::Round() {
  deploy::ObservedState observed = deployer_.Observe();
  if (!observed.complete) return kWaitMin * 4;  // absence means nothing yet: neither decide nor publish
  SNUG_ASSIGN_OR_RETURN(registry::Tables tables, registry_.Load());
  MeasureUse(tables, observed);
  Status settled = Settle(observed, &tables);
  // Traffic follows what is observed even when the registry takes no changes: a full disk stops no requests.
  SNUG_RETURN_IF_ERROR(PublishTraffic(tables, observed));
  TimePoint now = clock_.Now();
  NoteWithdrawn(tables, now);
  deployer_.Apply(DesiredServers(tables, Drained(now), store_.directory()));
  Remember(tables, observed);
  SNUG_RETURN_IF_ERROR(settled);
  return NextDeadline(now);
}

Status Reconciler::Settle(const deploy::ObservedState& observed, registry::Tables* tables) {
  for (int round = 0; round < kSettleRoundsMax; ++round) {
    std::set<registry::CopyId> drained = Drained(clock_.Now());
    Facts facts{*tables, observed, group_use_, drained, clock_.WallSeconds()};
    SNUG_ASSIGN_OR_RETURN(Changes next, NextChanges(facts, options_.decide));
    unplaced_ = std::move(next.unplaced);
    warnings_ = std::move(next.warnings);
    if (next.changes.empty()) return {};
    SNUG_RETURN_IF_ERROR(Carry(next.changes));
    SNUG_ASSIGN_OR_RETURN(*tables, registry_.Load());
  }
  return Internal("the decisions do not come to rest after {} rounds", kSettleRoundsMax);
}

Status Reconciler::Carry(const std::vector<registry::Change>& changes) {
  // A version's files go with its row, and nobody puts a new version there meanwhile.
  std::lock_guard lock(store_mutex_);
  SNUG_RETURN_IF_ERROR(registry_.Apply(changes, kWho));
  for (const auto& change : changes) {
    log::Info("decided", {{"what", Describe(change)}});
    metrics_.changes.Add();
    if (const auto* removed = std::get_if<registry::RemoveVersion>(&change)) {
      Status status = store_.Remove(removed->model, removed->version);
      if (!status.ok()) log::Warning("files not removed; the next start does it", {{"why", status.text()}});
    }
    if (const auto* group = std::get_if<registry::RemoveGroup>(&change)) use_.Forget(group->id);
  }
  return {};
}

Status Reconciler::PublishTraffic(const registry::Tables& tables, const deploy::ObservedState& observed) {
  routing::Snapshot next = MakeSnapshot(tables, observed);
  if (snapshot_ && *snapshot_ == next) return {};
  SNUG_RETURN_IF_ERROR(traffic_.Publish(next));
  metrics_.publications.Add();
  std::lock_guard lock(mutex_);
  ++published_;
  static const routing::Snapshot kEmpty;
  const routing::Snapshot& before = snapshot_ ? *snapshot_ : kEmpty;
  for (const auto& [key, traffic] : next.models) {
    auto old = before.models.find(key);
    if (old == before.models.end() || old->second != traffic) changed_at_[ModelOf(key)] = published_;
  }
  snapshot_ = std::move(next);
  return {};
}

// A copy begins to drain when a snapshot without it has been published.
void Reconciler::NoteWithdrawn(const registry::Tables& tables, TimePoint now) {
  std::map<registry::CopyId, TimePoint> next;
  for (const auto& copy : tables.copies) {
    if (copy.state != registry::CopyState::kDraining) continue;
    auto it = withdrawn_.find(copy.id);
    next[copy.id] = it == withdrawn_.end() ? now : it->second;
  }
  withdrawn_ = std::move(next);
}

std::set<registry::CopyId> Reconciler::Drained(TimePoint now) const {
  std::set<registry::CopyId> drained;
  for (const auto& [copy, since] : withdrawn_) {
    if (now - since >= options_.drain_delay) drained.insert(copy);
  }
  return drained;
}

Duration Reconciler::NextDeadline(TimePoint now) const {
  Duration wait = kTick;
  for (const auto& [copy, since] : withdrawn_) {
    Duration left = since + options_.drain_delay - now;
    if (left > Duration{0}) wait = std::min(wait, left);
  }
  return std::max(wait, kWaitMin);
}

void Reconciler::MeasureUse(const registry::Tables& tables, const deploy::ObservedState& observed) {
  if (!use_loaded_) {
    if (auto rows = registry_.LoadUse(); rows.ok()) use_.Load(*rows);
    use_loaded_ = true;
  }
  double now = clock_.WallSeconds();
  for (const auto& row : tables.servers) {
    auto it = observed.servers.find(row.id);
    if (it == observed.servers.end() || it->second.process.pid == 0) continue;
    use_.Observe(row.group, it->second.process.pid, it->second.cpu_seconds, now);
  }
  group_use_.clear();
  for (const auto& group : tables.groups) {
    group_use_[group.id] = {use_.Ratio(group.id, group.cores), use_.Seconds(group.id)};
  }
  if (now - use_saved_ < kUseSavePeriodSeconds) return;
  use_saved_ = now;
  auto rows = use_.TakeChanged();
  Status status = registry_.SaveUse(rows, static_cast<int64_t>(now) - kUseWindowSeconds);
  if (!status.ok()) log::Warning("use history not saved", {{"why", status.text()}});
}

void Reconciler::Remember(const registry::Tables& tables, const deploy::ObservedState& observed) {
  auto kept = std::make_shared<const registry::Tables>(tables);
  std::lock_guard lock(mutex_);
  knowledge_.observed = observed;
  knowledge_.unplaced = unplaced_;
  knowledge_.warnings = warnings_;
  knowledge_.use = group_use_;
  tables_ = std::move(kept);
  std::erase_if(changed_at_, [&](const auto& entry) { return tables.Model(entry.first) == nullptr; });
}

uint64_t Reconciler::published() const {
  std::lock_guard lock(mutex_);
  return published_;
}

void Reconciler::SetApplied(uint64_t serial) {
  std::lock_guard lock(mutex_);
  applied_ = std::max(applied_, serial);
}

Knowledge Reconciler::Know() const {
  std::lock_guard lock(mutex_);
  Knowledge knowledge = knowledge_;
  for (const auto& [model, serial] : changed_at_) {
    if (serial > applied_) knowledge.on_the_way.insert(model);
  }
  const auto& observed = knowledge_.observed.warnings;
  knowledge.warnings.insert(knowledge.warnings.end(), observed.begin(), observed.end());
  if (!failure_.empty()) knowledge.warnings.push_back("the reconcile loop: " + failure_);
  return knowledge;
}

std::shared_ptr<const registry::Tables> Reconciler::tables() const {
  std::lock_guard lock(mutex_);
  return tables_;
}

bool Reconciler::ready() const {
  return tables() != nullptr;
}

}  // namespace snug::controller
