// The part of ModelManager that loads versions only when they are asked for.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "serving/model_manager.h"
#include "serving/pipeline/pipeline.h"

namespace snug::serving {
namespace {

void Ignore(const Status&) {}

}  // namespace

Status ModelManager::Waiting::StillWanted(TimePoint now) const {
  if (cancelled && cancelled->load(std::memory_order_relaxed))
    return Status(Code::kCancelled, "the client cancelled the request before it was executed");
  if (now < deadline) return {};
  return Error(Code::kDeadlineExceeded, "the deadline passed after {:.3f} s of waiting for the model's load",
               Seconds(now - since));
}

repository::LoadTime ModelManager::LoadTimeOf(const repository::ModelEntry& entry) const {
  if (!options_.load_time) return LoadTime::kAtStart;
  return entry.config.load.value_or(*options_.load_time);
}

std::vector<int64_t> ModelManager::PutOnStandby(const repository::ModelEntry& entry,
                                                const std::vector<int64_t>& versions) {
  const LoadTime when = LoadTimeOf(entry);
  if (when == LoadTime::kAtStart || versions.empty()) return {};
  auto shared = std::make_shared<const repository::ModelEntry>(entry);
  std::lock_guard lock(mutex_);
  Model& model = models_[entry.name];
  const bool in_use = std::any_of(model.versions.begin(), model.versions.end(), [](const auto& version) {
    return version.second.servable != nullptr || !version.second.waiting.empty();
  });
  if (in_use) return {};
  SetModelWide(entry.name, entry.config, model);
  for (int64_t number : versions) {
    Version& version = NewGeneration(entry, number, model);
    version.state = State::kStandby;
    version.reason = "not loaded yet: the first request loads it";
    version.comes_late = true;
    version.entry = shared;
    if (when != LoadTime::kBackground) continue;
    LoadTask task{entry, number, version.generation, Ignore, 0, Backoff(options_.load_backoff)};
    loaders_.Post([this, task = std::move(task)] { RunLoad(task); });
  }
  ChooseStandard(model);
  return versions;
}

Duration ModelManager::StandbyAfter(const repository::ModelConfig& config) const {
  // What a sequence has reached would be lost; a pipeline holds next to nothing.
  if (!options_.load_time || config.sequence.on || config.is_pipeline()) return Duration::zero();
  if (!config.standby_after_s) return options_.standby_after;
  return std::chrono::seconds(*config.standby_after_s);
}

void ModelManager::PutIdleOnStandby() {
  std::vector<std::shared_ptr<Servable>> idle;
  {
    std::lock_guard lock(mutex_);
    std::set<std::string, std::less<>> beside;
    for (const auto& [name, model] : models_) {
      for (const auto& [number, version] : model.versions)
        beside.insert(version.beside.begin(), version.beside.end());
    }
    for (auto& [name, model] : models_) {
      if (beside.contains(name)) continue;  // a pipeline's request must not wait for one load after the other
      bool changed = false;
      for (auto& [number, version] : model.versions) {
        if (!version.servable || version.state != State::kReady || version.is_last) continue;
        const Duration after = StandbyAfter(version.entry->config);
        if (after == Duration::zero() || version.servable->unused_for() < after) continue;
        log::Info("model on standby",
                  {{"model", name},
                   {"version", std::to_string(number)},
                   {"unused_s", fmt::format("{:.0f}", Seconds(version.servable->unused_for()))}});
        version.memory_bytes = version.servable->info().memory_bytes;
        version.description = version.servable->info().description;
        idle.push_back(std::exchange(version.servable, nullptr));
        version.state = State::kStandby;
        version.reason = "not asked for in a while: the next request loads it again";
        version.generation = ++generations_;
        version.comes_late = true;
        changed = true;
      }
      if (changed) ChooseStandard(model);
    }
  }
  for (auto& servable : idle) Retire(std::move(servable), /*trim=*/true, Ignore);
}

ModelManager::LoadTask ModelManager::LateLoad(int64_t number, Version& version) {
  version.state = State::kLoading;
  version.reason = "a request waits for it";
  version.generation = ++generations_;  // one that the background has begun to queue is void
  return {*version.entry,     number,           version.generation, Ignore, 0, Backoff(options_.load_backoff),
          /*is_check=*/false, /*in_haste=*/true};
}

std::vector<ModelManager::Waiting> ModelManager::EndWaiting(Version& version) {
  version.comes_late = false;
  return std::exchange(version.waiting, {});
}

bool ModelManager::TakeUnwanted(TimePoint now, std::vector<Waiting>& unwanted) {
  bool others = false;
  for (auto& [name, model] : models_) {
    for (auto& [number, version] : model.versions) {
      auto keep = std::stable_partition(version.waiting.begin(), version.waiting.end(),
                                        [&](const Waiting& one) { return one.StillWanted(now).ok(); });
      std::move(keep, version.waiting.end(), std::back_inserter(unwanted));
      version.waiting.erase(keep, version.waiting.end());
      others |= !version.waiting.empty();
    }
  }
  return others;
}

void ModelManager::WaitForLoad(const std::string& name, const std::string& wanted, Waiting waiting) {
  const bool may_end = waiting.deadline != TimePoint::max() || waiting.cancelled;
  Status refused;
  {
    std::lock_guard lock(mutex_);
    auto model = models_.find(name);
    auto number =
        model == models_.end() ? Result<int64_t>(NotFound("gone")) : FindVersion(model->second, name, wanted);
    Version* version = number.ok() ? &model->second.versions.at(*number) : nullptr;
    if (version != nullptr && version->comes_late && !version->servable) {
      const auto limit = static_cast<size_t>(version->entry->config.queue_limit);
      if (version->waiting.size() < limit) {
        version->waiting.push_back(std::move(waiting));
        if (version->state == State::kStandby)
          loaders_.PostFirst([this, load = LateLoad(*number, *version)] { RunLoad(load); });
        if (may_end) sweeper_.Wake(TimePoint::min());
        return;
      }
      refused = Error(Code::kResourceExhausted,
                      "model \"{}\" version {}: {} requests wait already for its load (queue_limit {})", name,
                      *number, limit, limit);
    }
  }
  waiting.go_on(refused);  // OK: it has changed meanwhile
}

bool ModelManager::ComesLate(std::string_view model, std::string_view version) const {
  auto found = Find(model, version);
  return found.ok() && !found->servable;
}

void ModelManager::WhenLoaded(const std::string& model, const std::string& version, TimePoint deadline,
                              CancelFlag cancelled, Done then) {
  if (!ComesLate(model, version)) return then({});
  WaitForLoad(model, version, {options_.clock->Now(), deadline, std::move(cancelled), std::move(then)});
}

}  // namespace snug::serving
