// The part of ModelManager that loads and unloads.

#include <unistd.h>

#include <utility>

#include "base/log.h"
#include "os/process.h"
#include "repository/fingerprint.h"
#include "serving/gather.h"
#include "serving/loader.h"
#include "serving/low_priority.h"
#include "serving/model_manager.h"
#include "serving/pipeline/pipeline.h"
#include "serving/version_plan.h"

namespace snug::serving {
namespace {

void Ignore(const Status&) {}

Status Overtaken() {
  return Status(Code::kAborted, "overtaken by a later load or unload of the same version");
}

// What may be better the next time: bad files are not.
bool MayPass(Code code) {
  return code == Code::kUnavailable || code == Code::kResourceExhausted || code == Code::kDeadlineExceeded ||
         code == Code::kAborted;
}

std::set<int64_t> AllVersions(const repository::ModelEntry& entry) {
  std::set<int64_t> versions;
  for (const auto& [number, unused] : entry.versions) versions.insert(number);
  return versions;
}

// So that a version that was still being written is never served half.
Result<std::shared_ptr<Servable>> IfUnchanged(Result<std::shared_ptr<Servable>> loaded,
                                              const std::string& directory,
                                              const Result<repository::Fingerprint>& before) {
  if (!loaded.ok() || !before.ok()) return loaded;
  auto after = repository::TakeFingerprint(directory);
  if (after.ok() && *after == *before) return loaded;
  return Status(
      Code::kAborted,
      fmt::format("the files in {} changed while they were loaded: write a version elsewhere and rename it "
                  "into place",
                  directory));
}

}  // namespace

void ModelManager::LoadAll(Done done) {
  control_.Post([this, done = std::move(done)] {
    auto scan = repository::Scan(options_.root);
    if (!scan.ok()) return done(scan.status());
    for (const auto& [name, status] : scan->broken) {
      log::Error("a model cannot be loaded", {{"model", name}, {"reason", status.ToString()}});
    }
    auto part = SplitDone(scan->models.size() + 1, [done](const Status&) { done({}); });
    for (const auto& entry : scan->models) BeginAlign(entry, {}, When::kAtStart, true, part);
    part({});
  });
}

Result<repository::ModelEntry> ModelManager::ReadEntry(const std::string& model,
                                                       const LoadOverride& changes) const {
  // Triton's clients look for these words.
  auto entry = changes.files.empty() ? repository::ReadModel(options_.root, model)
                                     : repository::ReadInlineModel(options_.inline_dir, model, changes.files);
  if (!entry.ok())
    return entry.status().Annotate(
        fmt::format("failed to load '{}', failed to poll from model repository", model));
  if (changes.configure) {
    Status changed = changes.configure(entry->config);
    if (!changed.ok()) return changed.Annotate(fmt::format("failed to load '{}'", model));
  }
  return entry;
}

void ModelManager::Load(std::string model, std::string version, bool wait, Done done) {
  LoadChanged({}, std::move(model), std::move(version), wait, std::move(done));
}

void ModelManager::LoadChanged(LoadOverride changes, std::string model, std::string version, bool wait,
                               Done done) {
  control_.Post([this, model = std::move(model), version = std::move(version), wait, done = std::move(done),
                 changes = std::move(changes)] {
    auto entry = ReadEntry(model, changes);
    if (!entry.ok()) return done(entry.status());
    LoadBeside(*entry);
    if (version.empty()) {
      const std::set<int64_t> all = AllVersions(*entry);
      return BeginAlign(*entry, all, When::kNow, wait, done);
    }
    auto number = repository::ResolveVersion(*entry, version);
    if (!number.ok()) return done(number.status());
    BeginLoad(*entry, {*number}, {}, wait, done);
  });
}

void ModelManager::Align(repository::ModelEntry entry, std::set<int64_t> changed, Done done) {
  control_.Post([this, entry = std::move(entry), changed = std::move(changed), done = std::move(done)]() {
    BeginAlign(entry, changed, When::kAsConfigured, true, done);
  });
}

VersionPlan ModelManager::Plan(const repository::ModelEntry& entry, const std::set<int64_t>& changed) const {
  std::map<int64_t, State> here;
  {
    std::lock_guard lock(mutex_);
    if (auto model = models_.find(entry.name); model != models_.end()) {
      for (const auto& [number, version] : model->second.versions) here.emplace(number, version.state);
    }
  }
  return PlanVersions(entry, here, changed);
}

void ModelManager::BeginAlign(const repository::ModelEntry& entry, std::set<int64_t> changed, When when,
                              bool wait, const Done& done) {
  VersionPlan plan = Plan(entry, changed);
  if (when != When::kNow) {
    for (int64_t version : PutOnStandby(entry, plan.load)) changed.erase(version);
    plan = Plan(entry, changed);
  }
  SetModelWide(entry.name, entry.config);
  if (plan.load.empty()) {
    BeginUnload(entry.name, plan.unload, false, Ignore);
    return done({});
  }
  Done settled = wait ? done : Done(Ignore);
  auto loaded = [this, entry, settled](const Status& status) {
    control_.Post([this, entry, settled, status] {
      UnloadSuperseded(entry);
      settled(status);
    });
  };
  BeginLoad(entry, plan.load, plan.unload, true, loaded, when == When::kAtStart);
  if (!wait) done({});
}

// What those that were just loaded stand in for.
void ModelManager::UnloadSuperseded(const repository::ModelEntry& entry) {
  const VersionPlan rest = Plan(entry, {});
  if (!rest.kept.empty()) {
    log::Warning("old versions are kept, since none that is wanted is ready",
                 {{"model", entry.name}, {"versions", fmt::format("{}", fmt::join(rest.kept, ", "))}});
  }
  BeginUnload(entry.name, rest.unload, false, Ignore);
}

ModelManager::Version& ModelManager::NewGeneration(const repository::ModelEntry& entry, int64_t number,
                                                   Model& model) {
  Version& version = model.versions[number];
  version.generation = ++generations_;
  version.is_last = false;
  version.engine = entry.config.engine;
  version.parser = entry.config.parser;
  version.beside = ModelsBeside(entry.config.pipeline, entry.versions.at(number).directory);
  return version;
}

void ModelManager::BeginLoad(const repository::ModelEntry& entry, const std::vector<int64_t>& versions,
                             const std::vector<int64_t>& unload_first, bool wait, const Done& done,
                             bool at_start) {
  auto part = SplitDone(versions.size() + 1, wait ? done : Done(Ignore));
  std::vector<LoadTask> tasks;
  std::vector<std::shared_ptr<Servable>> go_first;
  const auto shared = std::make_shared<const repository::ModelEntry>(entry);
  {
    std::lock_guard lock(mutex_);
    Model& model = models_[entry.name];
    SetModelWide(entry.name, entry.config, model);
    for (int64_t number : versions) {
      Version& version = NewGeneration(entry, number, model);
      if (entry.config.swap == repository::Swap::kFrugal && version.servable)
        go_first.push_back(std::exchange(version.servable, nullptr));
      if (!version.servable) version.state = State::kLoading;
      version.reason.clear();
      version.entry = shared;
      tasks.push_back({entry, number, version.generation, part, 0, Backoff(options_.load_backoff),
                       /*is_check=*/false, at_start});
    }
    ChooseStandard(model);
  }
  auto gone = SplitDone(go_first.size() + 1, [this, tasks = std::move(tasks)](const Status&) {
    for (const LoadTask& task : tasks) loaders_.Post([this, task] { RunLoad(task); });
  });
  for (auto& old : go_first) Retire(std::move(old), /*trim=*/true, gone);
  BeginUnload(entry.name, unload_first, true, gone);
  part({});
  if (!wait) done({});
}

std::shared_ptr<VersionStats> ModelManager::Begun(const LoadTask& task) {
  std::lock_guard lock(mutex_);
  auto model = models_.find(task.entry.name);
  if (model == models_.end()) return nullptr;
  auto found = model->second.versions.find(task.version);
  const bool current = found != model->second.versions.end() && found->second.generation == task.generation;
  if (!current) return nullptr;
  if (found->second.state == State::kStandby) found->second.state = State::kLoading;
  return found->second.stats;
}

void ModelManager::RunLoad(LoadTask task) {
  std::optional<UsualPriority> usual;
  if (task.in_haste) usual.emplace();
  std::shared_ptr<VersionStats> stats = Begun(task);
  if (!stats) return task.done(Overtaken());
  if (WaitsForModel(task)) return;
  const TimePoint begun = options_.clock->Now();
  LoadContext context{engines_,
                      parsers_,
                      options_.cache_dir,
                      *options_.clock,
                      [this](TimePoint due) { sweeper_.Wake(due); },
                      &slow_,
                      options_.read_warmup,
                      options_.measure_batching,
                      &measured_,
                      options_.load_threads,
                      options_.gate,
                      this};
  std::string note;
  const std::string& directory = task.entry.versions.at(task.version).directory;
  const auto before = repository::TakeFingerprint(directory);
  auto loaded =
      IfUnchanged(LoadServable(context, task.entry, task.version, std::move(stats), note), directory, before);
  LowPriority::RestoreOthers(loaded.ok() ? (*loaded)->engine_process() : 0);
  const bool again =
      !task.is_check && MayPass(loaded.status().code()) && task.attempts < options_.load_retries_max;
  if (!loaded.ok() && again) return LoadLater(std::move(task), loaded.status());
  const std::string version = std::to_string(task.version);
  if (loaded.ok()) {
    log::Info("model ready", {{"model", task.entry.name},
                              {"version", version},
                              {"ms", fmt::format("{:.0f}", Seconds(options_.clock->Now() - begun) * 1e3)},
                              {"engine", (*loaded)->info().description},
                              {"batching", (*loaded)->batching_note()},
                              {"note", note}});
  } else {
    log::Error("model not loaded",
               {{"model", task.entry.name}, {"version", version}, {"reason", loaded.status().ToString()}});
  }
  // What compiling needed is the system's again, now where nobody is served yet or waits for more than that.
  if (task.in_haste)
    TrimHeap();
  else
    TrimHeapLater();
  const bool is_new = loaded.ok();
  Status outcome = Publish(task, std::move(loaded), note);
  if (is_new && outcome.ok()) WarnOfThreads(task.entry.name);
  task.done(std::move(outcome));
}

void ModelManager::LoadLater(LoadTask task, const Status& failure) {
  const Duration delay = task.backoff.Next(Duration{0});
  ++task.attempts;
  const std::string reason =
      fmt::format("attempt {} of {} failed, the next one in {:.1f} s: {}", task.attempts,
                  options_.load_retries_max + 1, Seconds(delay), failure.ToString());
  log::Warning("a model is loaded again later",
               {{"model", task.entry.name}, {"version", std::to_string(task.version)}, {"reason", reason}});
  {
    std::lock_guard lock(mutex_);
    auto model = models_.find(task.entry.name);
    auto* versions = model == models_.end() ? nullptr : &model->second.versions;
    auto found = versions == nullptr ? decltype(versions->end()){} : versions->find(task.version);
    if (versions != nullptr && found != versions->end() && found->second.generation == task.generation)
      found->second.reason = reason;
  }
  timer_.After(delay, [this, task = std::move(task)] { loaders_.Post([this, task] { RunLoad(task); }); });
}

// More threads than CPUs are no error, models are seldom busy all at once; yet it explains much when they
// are.
void ModelManager::WarnOfThreads(const std::string& loaded) const {
  int threads = 0;
  for (const VersionStatus& status : Index()) threads += status.threads;
  if (options_.cpu_threads == 0 || threads <= options_.cpu_threads) return;
  log::Warning("the models may keep more threads busy than the CPU budget has",
               {{"loaded", loaded},
                {"threads", std::to_string(threads)},
                {"budget", std::to_string(options_.cpu_threads)}});
}

Status ModelManager::Publish(const LoadTask& task, Result<std::shared_ptr<Servable>> loaded,
                             const std::string& note) {
  std::shared_ptr<Servable> old;
  std::vector<Waiting> waiting;
  Status outcome = loaded.status();
  {
    std::lock_guard lock(mutex_);
    Model& model = models_[task.entry.name];
    auto found = model.versions.find(task.version);
    if (found == model.versions.end() || found->second.generation != task.generation) {
      outcome = Overtaken();
      if (loaded.ok()) old = *loaded;
      if (model.versions.empty()) models_.erase(task.entry.name);
    } else if (loaded.ok()) {
      Version& version = found->second;
      old = std::exchange(version.servable, *std::move(loaded));
      version.state = State::kReady;
      version.reason = note;
      waiting = EndWaiting(version);
      ChooseStandard(model);
    } else if (found->second.servable && !task.is_check) {
      found->second.is_last = true;
      found->second.reason = "loading it anew failed, the copy before serves on: " + outcome.ToString();
    } else {
      old = std::exchange(found->second.servable, nullptr);
      found->second.state = State::kUnavailable;
      found->second.reason = outcome.ToString();
      waiting = EndWaiting(found->second);
      ChooseStandard(model);
    }
  }
  if (old) Retire(std::move(old), /*trim=*/false, Ignore);
  for (const Waiting& one : waiting) one.go_on({});
  CheckPipelinesOf(task.entry.name);
  return outcome;
}

void ModelManager::Unload(std::string model, std::string version, bool wait, Done done) {
  control_.Post([this, model = std::move(model), version = std::move(version), wait, done = std::move(done)] {
    std::vector<int64_t> versions;
    Status status;
    {
      std::lock_guard lock(mutex_);
      auto found = models_.find(model);
      if (found == models_.end()) {
        status = NotFound("model \"{}\" is not loaded here", model);
      } else if (version.empty()) {
        for (const auto& [number, unused] : found->second.versions) versions.push_back(number);
      } else {
        auto number = FindVersion(found->second, model, version);
        if (number.ok()) versions.push_back(*number);
        status = number.status();
      }
    }
    if (!status.ok()) return done(status);
    BeginUnload(model, versions, wait, done);
  });
}

void ModelManager::BeginUnload(const std::string& model, const std::vector<int64_t>& versions, bool wait,
                               const Done& done) {
  auto part = wait ? SplitDone(versions.size() + 1, done) : Done(Ignore);
  for (int64_t number : versions) {
    std::shared_ptr<Servable> servable;
    std::vector<Waiting> waiting;
    uint64_t generation = 0;
    {
      std::lock_guard lock(mutex_);
      Version& version = models_[model].versions[number];
      generation = version.generation = ++generations_;
      version.state = State::kUnloading;
      version.reason = "draining";
      servable = std::exchange(version.servable, nullptr);
      waiting = EndWaiting(version);
      ChooseStandard(models_[model]);
    }
    for (const Waiting& one : waiting) one.go_on({});
    Retire(std::move(servable), /*trim=*/true, [this, model, number, generation, part](const Status& status) {
      FinishUnload(model, number, generation);
      part(status);
    });
  }
  if (!versions.empty()) CheckPipelinesOf(model);
  part({});
  if (!wait) done({});
}

void ModelManager::FinishUnload(const std::string& name, int64_t number, uint64_t generation) {
  std::lock_guard lock(mutex_);
  auto model = models_.find(name);
  if (model == models_.end()) return;
  auto version = model->second.versions.find(number);
  if (version == model->second.versions.end() || version->second.generation != generation) return;
  model->second.versions.erase(version);
  if (model->second.versions.empty()) models_.erase(model);
  log::Info("model unloaded", {{"model", name}, {"version", std::to_string(number)}});
}

void ModelManager::TrimHeap() {
  os::TrimHeap();
  heap_growth_.Trimmed(os::PrivateBytes(getpid()));
}

void ModelManager::TrimHeapLater() {
  if (heap_trim_due_.exchange(true)) return;
  timer_.After(kHeapTrimDelay, [this] {
    heap_trim_due_ = false;
    TrimHeap();
  });
}

void ModelManager::Retire(std::shared_ptr<Servable> servable, bool trim, Done done) {
  if (servable) {
    std::lock_guard lock(mutex_);
    retiring_.push_back(servable);
  }
  retirers_.Post([this, servable = std::move(servable), trim, done = std::move(done)]() mutable {
    if (servable) {
      servable->Stop();
      {
        std::lock_guard lock(mutex_);
        std::erase(retiring_, servable);
      }
      servable.reset();
      if (trim)
        TrimHeap();  // so that the memory is the system's again, not only the allocator's
      else
        TrimHeapLater();
    }
    done({});
  });
}

}  // namespace snug::serving
