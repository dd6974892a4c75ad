#include "serving/model_manager.h"

#include <malloc.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "serving/loader.h"
#include "serving/low_priority.h"

namespace snug::serving {
namespace {

// How often a request looks its model up again when the copy found was closed meanwhile by a reload.
constexpr int kLookupsMax = 3;
// Versions that drain at the same time; each may wait for a long execution.
constexpr size_t kRetirersMax = 4;

// Calls `done` once all parts have reported, with the first error.
class Gather {
 public:
  Gather(size_t parts, ModelManager::Done done) : left_(parts), done_(std::move(done)) {}
  void Report(const Status& status) {
    {
      std::lock_guard lock(mutex_);
      if (first_.ok()) first_ = status;
      if (--left_ > 0) return;
    }
    done_(first_);
  }

 private:
  std::mutex mutex_;
  size_t left_;
  Status first_;
  ModelManager::Done done_;
};

// One Done that may be called `parts` times.
ModelManager::Done SplitDone(size_t parts, ModelManager::Done done) {
  auto gather = std::make_shared<Gather>(parts, std::move(done));
  return [gather](const Status& status) { gather->Report(status); };
}

void Ignore(const Status&) {}

bool IsNumber(std::string_view version) {
  return !version.empty() && version[0] >= '0' && version[0] <= '9';
}

}  // namespace

std::string_view StateName(State state) {
  switch (state) {
    case State::kLoading:
      return "LOADING";
    case State::kReady:
      return "READY";
    case State::kUnloading:
      return "UNLOADING";
    case State::kUnavailable:
      return "UNAVAILABLE";
  }
  return "UNAVAILABLE";
}

ModelManager::ModelManager(ManagerOptions options, engine::EngineHost& engines, parsers::ParserHost& parsers)
    : options_(std::move(options)),
      engines_(engines),
      parsers_(parsers),
      sweeper_([this] { return Sweep(); }),
      loaders_(options_.load_threads),
      retirers_(kRetirersMax) {}

ModelManager::~ModelManager() {
  control_.Stop();
  loaders_.Stop();
  retirers_.Stop();
  std::vector<std::shared_ptr<Servable>> servables;
  {
    std::lock_guard lock(mutex_);
    for (auto& [name, model] : models_) {
      for (auto& [number, version] : model.versions) {
        if (version.servable) servables.push_back(version.servable);
      }
    }
  }
  for (auto& servable : servables) servable->Stop();
  sweeper_.Stop();  // last: until then requests expire in time
}

void ModelManager::LoadAll(Done done) {
  control_.Post([this, done = std::move(done)] {
    auto scan = repository::Scan(options_.root);
    if (!scan.ok()) return done(scan.status());
    for (const auto& [name, status] : scan->broken) {
      log::Error("a model cannot be loaded", {{"model", name}, {"reason", status.ToString()}});
    }
    auto part = SplitDone(scan->models.size() + 1, [done](const Status&) { done({}); });
    for (auto& entry : scan->models) {
      std::vector<int64_t> versions;
      for (const auto& [number, version] : entry.versions) versions.push_back(number);
      BeginLoad(std::move(entry), versions, true, part);
    }
    part({});
  });
}

void ModelManager::Load(std::string model, std::string version, bool wait, Done done) {
  control_.Post([this, model = std::move(model), version = std::move(version), wait, done = std::move(done)] {
    Status name = repository::CheckModelName(model);
    if (!name.ok()) return done(name);
    auto entry = repository::ReadModel(options_.root, model);
    if (!entry.ok()) return done(entry.status());
    std::vector<int64_t> load, unload;
    if (!version.empty()) {
      auto number = repository::ResolveVersion(*entry, version);
      if (!number.ok()) return done(number.status());
      load.push_back(*number);
    } else {
      for (const auto& [number, unused] : entry->versions) load.push_back(number);
      std::lock_guard lock(mutex_);
      for (const auto& [number, unused] : models_[model].versions) {
        if (entry->versions.count(number) == 0) unload.push_back(number);
      }
    }
    BeginLoad(*std::move(entry), load, wait, done);
    BeginUnload(model, unload, false, Ignore);
  });
}

void ModelManager::BeginLoad(repository::ModelEntry entry, const std::vector<int64_t>& versions, bool wait,
                             Done done) {
  auto part = wait ? SplitDone(versions.size(), done) : Done(Ignore);
  std::vector<LoadTask> tasks;
  {
    std::lock_guard lock(mutex_);
    Model& model = models_[entry.name];
    model.labels = entry.config.labels;
    for (int64_t number : versions) {
      Version& version = model.versions[number];
      version.generation = ++generations_;
      version.engine = entry.config.engine;
      version.parser = entry.config.parser;
      if (!version.servable) version.state = State::kLoading;
      version.reason.clear();
      tasks.push_back({entry, number, version.generation, part});
    }
    ChooseStandard(model);
  }
  for (LoadTask& task : tasks) {
    loaders_.Post([this, task = std::move(task)]() mutable { RunLoad(std::move(task)); });
  }
  if (!wait) done({});
}

void ModelManager::RunLoad(LoadTask task) {
  LowPriority low;
  std::shared_ptr<VersionStats> stats;
  {
    std::lock_guard lock(mutex_);
    auto& versions = models_[task.entry.name].versions;
    auto found = versions.find(task.version);
    if (found != versions.end() && found->second.generation == task.generation) stats = found->second.stats;
  }
  if (!stats)
    return task.done(Status(Code::kAborted, "overtaken by a later load or unload of the same version"));
  const TimePoint begun = options_.clock->Now();
  LoadContext context{engines_,
                      parsers_,
                      options_.cache_dir,
                      *options_.clock,
                      [this] { sweeper_.Wake(); },
                      options_.measure_batching};
  std::string note;
  auto loaded = LoadServable(context, task.entry, task.version, std::move(stats), note);
  LowPriority::RestoreOthers(loaded.ok() ? (*loaded)->engine_process() : 0);
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
  const bool is_new = loaded.ok();
  Status outcome = Publish(task, std::move(loaded), note);
  if (is_new && outcome.ok()) WarnOfThreads(task.entry.name);
  task.done(std::move(outcome));
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
  Status outcome = loaded.status();
  {
    std::lock_guard lock(mutex_);
    Model& model = models_[task.entry.name];
    auto found = model.versions.find(task.version);
    if (found == model.versions.end() || found->second.generation != task.generation) {
      outcome = Status(Code::kAborted, "overtaken by a later load or unload of the same version");
      if (loaded.ok()) old = *loaded;
      if (model.versions.empty()) models_.erase(task.entry.name);
    } else if (loaded.ok()) {
      Version& version = found->second;
      old = std::exchange(version.servable, *std::move(loaded));
      version.state = State::kReady;
      version.reason = note;
      ChooseStandard(model);
    } else if (found->second.servable) {
      found->second.reason = "loading it anew failed, the copy before serves on: " + outcome.ToString();
    } else {
      found->second.state = State::kUnavailable;
      found->second.reason = outcome.ToString();
    }
  }
  if (old) Retire(std::move(old), Ignore);
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
                               Done done) {
  auto part = wait ? SplitDone(versions.size() + 1, done) : Done(Ignore);
  for (int64_t number : versions) {
    std::shared_ptr<Servable> servable;
    uint64_t generation = 0;
    {
      std::lock_guard lock(mutex_);
      Version& version = models_[model].versions[number];
      generation = version.generation = ++generations_;
      version.state = State::kUnloading;
      version.reason = "draining";
      servable = std::exchange(version.servable, nullptr);
      ChooseStandard(models_[model]);
    }
    Retire(std::move(servable), [this, model, number, generation, part](const Status& status) {
      FinishUnload(model, number, generation);
      part(status);
    });
  }
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

void ModelManager::Retire(std::shared_ptr<Servable> servable, Done done) {
  if (servable) {
    std::lock_guard lock(mutex_);
    retiring_.push_back(servable);
  }
  retirers_.Post([this, servable = std::move(servable), done = std::move(done)]() mutable {
    if (servable) {
      servable->Stop();
      {
        std::lock_guard lock(mutex_);
        std::erase(retiring_, servable);
      }
      servable.reset();
      malloc_trim(0);  // so that the memory is the system's again, not only the allocator's
    }
    done({});
  });
}

void ModelManager::SetLabels(std::string_view name, std::map<std::string, int64_t> labels) {
  std::lock_guard lock(mutex_);
  auto model = models_.find(name);
  if (model == models_.end()) return;
  model->second.labels = std::move(labels);
  ChooseStandard(model->second);
}

void ModelManager::ChooseStandard(Model& model) {
  model.standard.reset();
  auto label = model.labels.find("default");
  if (label != model.labels.end()) {
    auto found = model.versions.find(label->second);
    if (found != model.versions.end()) model.standard = found->second.servable;
  }
  for (auto version = model.versions.rbegin(); !model.standard && version != model.versions.rend();
       ++version) {
    model.standard = version->second.servable;
  }
}

Result<int64_t> ModelManager::FindVersion(const Model& model, std::string_view name,
                                          std::string_view version) const {
  if (version.empty()) {
    if (model.standard) return model.standard->version();
    if (!model.versions.empty()) return model.versions.rbegin()->first;
  } else if (IsNumber(version)) {
    SNUG_ASSIGN_OR_RETURN(const int64_t number, repository::ParseVersion(version));
    if (model.versions.count(number) > 0) return number;
  } else if (auto label = model.labels.find(std::string(version)); label != model.labels.end()) {
    if (model.versions.count(label->second) > 0) return label->second;
  }
  std::string known;
  for (const auto& [number, unused] : model.versions)
    known += fmt::format("{}{}", known.empty() ? "" : ", ", number);
  for (const auto& [label, number] : model.labels) known += fmt::format(", \"{}\" = {}", label, number);
  return NotFound("Request for unknown model: '{}' version '{}' is not found; versions here: {}", name,
                  version, known);
}

Status ModelManager::NotReady(std::string_view name, int64_t version, const Version& entry) const {
  switch (entry.state) {
    case State::kLoading:
      return Unavailable("model \"{}\" version {} is loading; try again soon", name, version);
    case State::kUnloading:
      return Unavailable("model \"{}\" version {} is being unloaded", name, version);
    default:
      return Unavailable("model \"{}\" version {} could not be loaded: {}", name, version, entry.reason);
  }
}

Result<std::shared_ptr<Servable>> ModelManager::Find(std::string_view name, std::string_view version) const {
  std::lock_guard lock(mutex_);
  auto model = models_.find(name);
  if (model == models_.end()) {
    std::string known;
    for (const auto& [other, unused] : models_) known += (known.empty() ? "" : ", ") + other;
    return NotFound("Request for unknown model: '{}' is not found; models here: {}", name,
                    known.empty() ? "none" : known);
  }
  if (version.empty() && model->second.standard) return model->second.standard;
  SNUG_ASSIGN_OR_RETURN(const int64_t number, FindVersion(model->second, name, version));
  const Version& entry = model->second.versions.at(number);
  if (!entry.servable) return NotReady(name, number, entry);
  return entry.servable;
}

template <typename Request, typename Response, typename Call>
void ModelManager::Dispatch(Request request, Callback<Response> done, Call call) {
  for (int lookup = 0; lookup < kLookupsMax; ++lookup) {
    auto servable = Find(request.model, request.version);
    if (!servable.ok()) {
      rejected_[static_cast<size_t>(servable.status().code())].Add();
      return done(servable.status());
    }
    if (call(**servable, request, done)) return;
  }
  rejected_[static_cast<size_t>(Code::kUnavailable)].Add();
  done(Unavailable("model \"{}\" is being replaced; try again", request.model));
}

void ModelManager::Infer(InferRequest request, InferCallback done) {
  Dispatch<InferRequest, InferResponse>(
      std::move(request), std::move(done),
      [](auto& servable, auto& r, auto& d) { return servable.Infer(r, d); });
}

void ModelManager::Predict(PredictRequest request, PredictCallback done) {
  Dispatch<PredictRequest, PredictResponse>(
      std::move(request), std::move(done),
      [](auto& servable, auto& r, auto& d) { return servable.Predict(r, d); });
}

Result<ModelDescription> ModelManager::Describe(std::string_view model, std::string_view version) const {
  SNUG_ASSIGN_OR_RETURN(const std::shared_ptr<Servable> servable, Find(model, version));
  ModelDescription description{
      servable->name(), servable->version(), {}, servable->config(), servable->info()};
  std::lock_guard lock(mutex_);
  auto found = models_.find(model);
  if (found == models_.end()) return description;
  for (const auto& [number, entry] : found->second.versions) {
    if (entry.servable) description.versions.push_back(number);
  }
  return description;
}

Status ModelManager::Ready(std::string_view model, std::string_view version) const {
  return Find(model, version).status();
}

std::vector<VersionStatus> ModelManager::Index() const {
  std::vector<VersionStatus> index;
  std::lock_guard lock(mutex_);
  for (const auto& [name, model] : models_) {
    for (const auto& [number, version] : model.versions) {
      VersionStatus& status = index.emplace_back();
      status.name = name;
      status.version = number;
      status.state = version.state;
      status.reason = version.reason;
      status.engine = version.servable ? version.servable->config().engine : version.engine;
      status.parser = version.parser;
      if (!version.servable) continue;
      status.memory_bytes = version.servable->info().memory_bytes;
      status.description = version.servable->info().description;
      status.batching = version.servable->batching_note();
      status.threads = version.stats->threads;
    }
  }
  return index;
}

Result<std::vector<ModelManager::VersionNumbers>> ModelManager::Statistics(std::string_view name,
                                                                           std::string_view version) const {
  if (!name.empty()) SNUG_RETURN_IF_ERROR(Ready(name, version));
  std::vector<VersionNumbers> all;
  std::lock_guard lock(mutex_);
  for (const auto& [model_name, model] : models_) {
    if (!name.empty() && model_name != name) continue;
    int64_t only = 0;
    if (!version.empty()) {
      SNUG_ASSIGN_OR_RETURN(only, FindVersion(model, model_name, version));
    }
    for (const auto& [number, entry] : model.versions) {
      if (only != 0 && number != only) continue;
      all.push_back({model_name, number, entry.stats, entry.servable != nullptr,
                     entry.servable ? entry.servable->queue_depth() : 0});
    }
  }
  return all;
}

bool ModelManager::Settled() const {
  std::lock_guard lock(mutex_);
  return std::all_of(models_.begin(), models_.end(), [](const auto& model) {
    return std::none_of(model.second.versions.begin(), model.second.versions.end(),
                        [](const auto& version) { return version.second.state == State::kLoading; });
  });
}

bool ModelManager::Sweep() {
  std::vector<std::shared_ptr<Servable>> servables;
  {
    std::lock_guard lock(mutex_);
    for (auto& [name, model] : models_) {
      for (auto& [number, version] : model.versions) {
        if (version.servable) servables.push_back(version.servable);
      }
    }
    servables.insert(servables.end(), retiring_.begin(), retiring_.end());
  }
  bool again = false;
  for (auto& servable : servables) again |= servable->Sweep(options_.clock->Now());
  return again;
}

}  // namespace snug::serving
