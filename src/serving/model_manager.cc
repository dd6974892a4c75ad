#include "serving/model_manager.h"

#include <unistd.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "os/process.h"
#include "serving/low_priority.h"
#include "serving/pipeline/pipeline.h"

namespace snug::serving {
namespace {

// How often a request looks its model up again when the copy found was closed meanwhile by a reload.
constexpr int kLookupsMax = 3;
// Versions that drain at the same time; each may wait for a long execution.
constexpr size_t kRetirersMax = 4;

void AddModelsOfPipelines(std::vector<ModelManager::VersionNumbers>& all) {
  for (size_t i = 0, count = all.size(); i < count; ++i) {
    const ModelManager* own = all[i].pipeline ? all[i].pipeline->own_models() : nullptr;
    if (own == nullptr) continue;
    auto models = own->Statistics("", "");
    for (ModelManager::VersionNumbers& numbers : *models) {
      numbers.name = fmt::format("{}/{}/{}", all[i].name, all[i].version, numbers.name);
      all.push_back(std::move(numbers));
    }
  }
}

bool IsNumber(std::string_view version) {
  return !version.empty() && version[0] >= '0' && version[0] <= '9';
}

// From the start: a thread that is lowered only once it has a task has come to it at the usual priority, and
// may have taken the CPU from an execution for that.
void AtLowPriority(const std::function<void()>& work) {
  const LowPriority low;
  work();
}

}  // namespace

ModelManager::ModelManager(ManagerOptions options, engine::EngineHost& engines, parsers::ParserHost& parsers)
    : options_(std::move(options)),
      engines_(engines),
      parsers_(parsers),
      sweeper_(*options_.clock, [this] { return Sweep(); }),
      loaders_(options_.load_threads, AtLowPriority),
      retirers_(kRetirersMax, AtLowPriority) {
  if (options_.trim_idle) TrimLater();
}

ModelManager::~ModelManager() {
  control_.Stop();
  timer_.Stop();
  loaders_.Stop();
  retirers_.Stop();
  std::vector<std::shared_ptr<Servable>> servables;
  std::vector<Waiting> waiting;
  {
    std::lock_guard lock(mutex_);
    for (auto& [name, model] : models_) {
      for (auto& [number, version] : model.versions) {
        if (version.servable) servables.push_back(version.servable);
        for (Waiting& one : EndWaiting(version)) waiting.push_back(std::move(one));
      }
    }
  }
  for (const Waiting& one : waiting) one.go_on(Unavailable("the server is shutting down"));
  // Pipelines first: what they have under way needs the others.
  std::stable_partition(servables.begin(), servables.end(),
                        [](const auto& servable) { return servable->pipeline() != nullptr; });
  for (auto& servable : servables) servable->Stop();
  sweeper_.Stop();  // last: until then requests expire in time
}

void ModelManager::SetModelWide(std::string_view name, const repository::ModelConfig& config) {
  std::lock_guard lock(mutex_);
  auto model = models_.find(name);
  if (model == models_.end()) return;
  SetModelWide(name, config, model->second);
  ChooseStandard(model->second);
}

void ModelManager::SetModelWide(std::string_view name, const repository::ModelConfig& config, Model& model) {
  model.labels = config.labels;
  if (config.limits == repository::LimitsConfig{}) {
    model.limits.reset();
  } else if (!model.limits || model.limits->config() != config.limits) {
    model.limits = std::make_shared<ModelLimits>(std::string(name), config.limits);
  }
  if (options_.payloads == nullptr || config.payload_log.rate == 0) {
    model.sampler.reset();
  } else if (!model.sampler || model.sampler->config() != config.payload_log) {
    model.sampler = std::make_shared<PayloadSampler>(config.payload_log);
  }
}

void ModelManager::ChooseStandard(Model& model) {
  model.standard_version = 0;
  auto consider = [&model](int64_t number, const Version& version) {
    if (model.standard_version == 0 && version.takes_requests()) model.standard_version = number;
  };
  if (auto label = model.labels.find("default"); label != model.labels.end()) {
    auto found = model.versions.find(label->second);
    if (found != model.versions.end()) consider(found->first, found->second);
  }
  for (auto version = model.versions.rbegin(); version != model.versions.rend(); ++version)
    consider(version->first, version->second);
  model.standard = model.standard_version == 0 ? nullptr : model.versions.at(model.standard_version).servable;
}

Result<int64_t> ModelManager::FindVersion(const Model& model, std::string_view name,
                                          std::string_view version) const {
  if (version.empty()) {
    if (model.standard_version != 0) return model.standard_version;
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

Result<ModelManager::Found> ModelManager::Find(std::string_view name, std::string_view version) const {
  std::lock_guard lock(mutex_);
  auto model = models_.find(name);
  if (model == models_.end()) {
    std::string known;
    for (const auto& [other, unused] : models_) known += (known.empty() ? "" : ", ") + other;
    return NotFound("Request for unknown model: '{}' is not found; models here: {}", name,
                    known.empty() ? "none" : known);
  }
  if (version.empty() && model->second.standard)
    return Found{model->second.standard, model->second.limits, model->second.sampler};
  SNUG_ASSIGN_OR_RETURN(const int64_t number, FindVersion(model->second, name, version));
  const Version& entry = model->second.versions.at(number);
  if (!entry.takes_requests()) return NotReady(name, number, entry);
  return Found{entry.servable, model->second.limits, model->second.sampler};
}

template <typename Request, typename Response, typename Call>
void ModelManager::DispatchLate(Request request, Callback<Response> done, Call call, bool is_counted) {
  struct Late {
    Request request;
    Callback<Response> done;
  };
  if constexpr (std::is_same_v<Request, InferRequest>) request.may_run_here = false;  // on a thread of loads
  auto late = std::make_shared<Late>(Late{std::move(request), std::move(done)});
  const RequestHead& head = late->request;
  WaitForLoad(head.model, head.version,
              {options_.clock->Now(), head.deadline, head.cancelled,
               [this, late, call, is_counted](const Status& loaded) {
                 if (loaded.ok())
                   return Dispatch<Request, Response>(std::move(late->request), std::move(late->done), call,
                                                      is_counted);
                 rejected_[static_cast<size_t>(loaded.code())].Add();
                 late->done(loaded);
               }});
}

// `is_counted`: by the model's limits and its sampler.
template <typename Request, typename Response, typename Call>
void ModelManager::Dispatch(Request request, Callback<Response> done, Call call, bool is_counted) {
  for (int lookup = 0; lookup < kLookupsMax; ++lookup) {
    auto found = Find(request.model, request.version);
    if (!found.ok()) {
      rejected_[static_cast<size_t>(found.status().code())].Add();
      return done(found.status());
    }
    if (!found->servable)
      return DispatchLate<Request, Response>(std::move(request), std::move(done), std::move(call),
                                             is_counted);
    if (found->limits && !is_counted) {
      Status entered = found->limits->Enter(options_.clock->Now());
      if (!entered.ok()) {
        found->servable->CountLimited(request.arrival);
        return done(std::move(entered));
      }
      done = [limits = found->limits, done = std::move(done)](Result<Response> answer) {
        limits->Leave();
        done(std::move(answer));
      };
    }
    if (!is_counted && found->sampler && found->sampler->Take())
      options_.payloads->Log(request, found->sampler->config());
    is_counted = true;
    if (call(*found->servable, request, done)) return;
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
  SNUG_ASSIGN_OR_RETURN(const Found here, Find(model, version));
  const std::shared_ptr<Servable>& servable = here.servable;
  if (!servable) return Unavailable("model \"{}\" is not loaded yet: the first request loads it", model);
  ModelDescription description{servable->name(),        servable->version(), {},
                               servable->config(),      servable->info(),    servable->batch_rows(),
                               servable->class_labels()};
  std::lock_guard lock(mutex_);
  auto found = models_.find(model);
  if (found == models_.end()) return description;
  for (const auto& [number, entry] : found->second.versions) {
    if (entry.takes_requests()) description.versions.push_back(number);
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
      status.takes_requests = version.takes_requests();
      status.engine = version.servable ? version.servable->config().engine : version.engine;
      status.parser = version.parser;
      if (!version.servable) {
        status.memory_bytes = version.comes_late ? version.memory_bytes : 0;
        status.description = version.comes_late ? version.description : "";
        continue;
      }
      status.memory_bytes = version.servable->info().memory_bytes;
      status.description = version.servable->info().description;
      status.batching = version.servable->batching_note();
      status.threads = version.stats->threads;
    }
  }
  return index;
}

std::vector<std::string> ModelManager::NotLoaded() const {
  auto names = repository::ModelNames(options_.root);
  if (!names.ok()) return {};
  std::lock_guard lock(mutex_);
  std::erase_if(*names, [&](const std::string& name) {
    return models_.contains(name) || !repository::CheckModelName(name).ok();
  });
  return *std::move(names);
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
      all.push_back({model_name, number, entry.stats, entry.takes_requests(), entry.servable != nullptr,
                     entry.servable ? entry.servable->queue_depth() : 0,
                     entry.servable ? entry.servable->cache_size() : ResponseCache::Size{},
                     entry.servable ? entry.servable->engine_process() : 0,
                     entry.servable ? static_cast<size_t>(entry.servable->config().instances) : 0,
                     entry.servable ? entry.servable->pipeline() : nullptr});
    }
  }
  if (name.empty()) AddModelsOfPipelines(all);
  return all;
}

bool ModelManager::Settled() const {
  std::lock_guard lock(mutex_);
  return std::all_of(models_.begin(), models_.end(), [](const auto& model) {
    return std::none_of(model.second.versions.begin(), model.second.versions.end(),
                        [](const auto& version) { return version.second.state == State::kLoading; });
  });
}

void ModelManager::TrimLater() {
  timer_.After(kTrimInterval, [this] {
    TrimIdle();
    TrimLater();
  });
}

void ModelManager::TrimIdle() {
  std::vector<std::shared_ptr<Servable>> servables;
  {
    std::lock_guard lock(mutex_);
    for (auto& [name, model] : models_) {
      for (auto& [number, version] : model.versions) {
        if (version.servable) servables.push_back(version.servable);
      }
    }
  }
  bool any = false;
  for (auto& servable : servables) any |= servable->TrimIfIdle();
  servables.clear();
  PutIdleOnStandby();
  if (any || heap_growth_.Due(os::PrivateBytes(getpid()))) TrimHeap();
}

TimePoint ModelManager::Sweep() {
  const TimePoint now = options_.clock->Now();
  std::vector<std::shared_ptr<Servable>> servables;
  std::vector<Waiting> unwanted;
  bool again = false;
  {
    std::lock_guard lock(mutex_);
    again = TakeUnwanted(now, unwanted);
    for (auto& [name, model] : models_) {
      for (auto& [number, version] : model.versions) {
        if (version.servable) servables.push_back(version.servable);
      }
    }
    servables.insert(servables.end(), retiring_.begin(), retiring_.end());
  }
  for (const Waiting& one : unwanted) one.go_on(one.StillWanted(now));
  TimePoint due = again ? now : TimePoint::max();
  for (auto& servable : servables) due = std::min(due, servable->Sweep(now));
  return due;
}

}  // namespace snug::serving
