// The part of ModelManager that keeps pipelines in step with the models beside them.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "serving/model_manager.h"
#include "serving/pipeline/pipeline.h"

namespace snug::serving {
namespace {

void Ignore(const Status&) {}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

void ModelManager::LoadBeside(const repository::ModelEntry& pipeline) {
  std::vector<std::string> names;
  for (const auto& [number, version] : pipeline.versions) {
    for (std::string& name : ModelsBeside(pipeline.config.pipeline, version.directory)) {
      std::lock_guard lock(mutex_);
      if (models_.count(name) == 0 && name != pipeline.name && !Contains(names, name))
        names.push_back(std::move(name));
    }
  }
  for (const std::string& name : names) {
    auto entry = repository::ReadModel(options_.root, name);
    if (entry.ok()) BeginAlign(*entry, {}, When::kNow, false, Ignore);  // else the pipeline's load says so
  }
}

bool ModelManager::WaitsForModel(LoadTask& task) {
  std::lock_guard lock(mutex_);
  auto here = models_.find(task.entry.name);
  auto* versions = here == models_.end() ? nullptr : &here->second.versions;
  if (versions == nullptr || versions->count(task.version) == 0) return false;
  Version& own = versions->at(task.version);
  for (const std::string& name : own.beside) {
    auto model = models_.find(name);
    if (model == models_.end()) continue;
    for (auto& [number, version] : model->second.versions) {
      if (version.state != State::kStandby) continue;
      loaders_.PostFirst([this, load = LateLoad(number, version)] { RunLoad(load); });
    }
    const bool is_loading =
        std::any_of(model->second.versions.begin(), model->second.versions.end(), [](const auto& version) {
          return version.second.state == State::kLoading && version.second.beside.empty();
        });
    if (!is_loading) continue;
    own.reason = fmt::format("waits for the model \"{}\"", name);
    waiting_.push_back(std::move(task));
    return true;
  }
  return false;
}

void ModelManager::CheckPipelinesOf(const std::string& changed) {
  std::vector<LoadTask> tasks;
  {
    std::lock_guard lock(mutex_);
    tasks = std::exchange(waiting_, {});
    for (auto& [name, model] : models_) {
      for (auto& [number, version] : model.versions) {
        const bool is_settled = version.state == State::kReady || version.state == State::kUnavailable;
        if (!is_settled || !Contains(version.beside, changed)) continue;
        version.generation = ++generations_;
        tasks.push_back({*version.entry, number, version.generation, Ignore, 0,
                         Backoff(options_.load_backoff),
                         /*is_check=*/true});
      }
    }
  }
  for (LoadTask& task : tasks) {
    loaders_.Post([this, task = std::move(task)]() mutable { RunLoad(std::move(task)); });
  }
}

}  // namespace snug::serving
