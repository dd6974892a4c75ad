#include "server/tfs_models.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.h"
#include "os/files.h"
#include "repository/repository.h"

namespace snug::server {
namespace {

// The longest wait of the thread; it is woken for changes.
constexpr Duration kIdleWait = std::chrono::hours(1);

// Calls `done` once after `parts` reports, with the first error.
TfsModels::Done Gather(size_t parts, TfsModels::Done done) {
  struct State {
    std::mutex mutex;
    size_t left;
    Status first;
  };
  auto state = std::make_shared<State>();
  state->left = parts;
  return [state, done = std::move(done)](const Status& status) {
    {
      std::lock_guard lock(state->mutex);
      if (state->first.ok()) state->first = status;
      if (--state->left > 0) return;
    }
    done(state->first);
  };
}

void Ignore(const Status&) {}

Result<std::map<int64_t, std::string>> VersionsUnder(const std::string& base_path) {
  std::map<int64_t, std::string> versions;
  SNUG_ASSIGN_OR_RETURN(const auto names, os::ListDir(base_path));
  for (const std::string& name : names) {
    auto version = repository::ParseVersion(name);
    const std::string path = base_path + "/" + name;
    if (version.ok() && os::IsDirectory(path)) versions.emplace(*version, path);
  }
  return versions;
}

std::map<int64_t, std::string> Wanted(const TfsModelConfig& config,
                                      const std::map<int64_t, std::string>& on_disk) {
  std::vector<int64_t> numbers;
  for (const auto& [version, path] : on_disk) numbers.push_back(version);
  std::map<int64_t, std::string> wanted;
  for (int64_t version : ChooseVersions(config.policy, numbers)) wanted.emplace(version, on_disk.at(version));
  return wanted;
}

std::string ModelYaml(const TfsModelConfig& config, int threads) {
  std::string yaml = fmt::format("threads: {}\n", threads);
  if (!config.labels.empty()) yaml += "labels:\n";
  for (const auto& [label, version] : config.labels) yaml += fmt::format("  \"{}\": {}\n", label, version);
  return yaml;
}

}  // namespace

TfsModels::TfsModels(TfsModelsOptions options, serving::ModelManager& models)
    : options_(std::move(options)), manager_(models), thread_([this] { Run(); }) {}

TfsModels::~TfsModels() {
  {
    std::lock_guard lock(inbox_->mutex);
    inbox_->stopping = true;
  }
  inbox_->changed.notify_all();
  thread_.join();
}

void TfsModels::Apply(std::vector<TfsModelConfig> config, Done done) {
  {
    std::lock_guard lock(inbox_->mutex);
    inbox_->changes.push_back({std::move(config), std::move(done)});
  }
  inbox_->changed.notify_all();
}

void TfsModels::Run() {
  auto after = [](Duration wait) {
    return std::chrono::steady_clock::now() + (wait > Duration{0} ? wait : kIdleWait);
  };
  const Duration config_poll = options_.config_file.empty() ? Duration{0} : options_.config_poll;
  auto next_config = after(config_poll);
  auto next_poll = after(options_.poll);
  Inbox& inbox = *inbox_;
  for (;;) {
    std::unique_lock lock(inbox.mutex);
    inbox.changed.wait_until(lock, std::min(next_poll, next_config), [&] {
      return inbox.stopping || !inbox.changes.empty() || !inbox.superseded.empty();
    });
    if (inbox.stopping) return;
    auto changes = std::exchange(inbox.changes, {});
    auto superseded = std::exchange(inbox.superseded, {});
    lock.unlock();
    for (const Superseded& one : superseded) Retire(one);
    for (Change& change : changes) TakeConfig(std::move(change));
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_config) {
      if (config_poll > Duration{0}) ReadConfigFile();
      next_config = after(config_poll);
    }
    if (now >= next_poll) {
      if (options_.poll > Duration{0}) {
        for (auto& [name, model] : models_) Align(model, Ignore);
      }
      next_poll = after(options_.poll);
    }
  }
}

void TfsModels::ReadConfigFile() {
  auto text = os::ReadFile(options_.config_file, kTfsConfigBytesMax);
  if (text.ok() && *text == config_text_) return;
  auto config = text.ok() ? ParseTfsConfig(*text, options_.config_file)
                          : Result<std::vector<TfsModelConfig>>(text.status());
  if (!config.ok()) {
    log::Error("the model config is left as it is", {{"reason", config.status().ToString()}});
    return;
  }
  const bool first = config_text_.empty();
  config_text_ = *std::move(text);
  if (!first) log::Info("the model config has changed", {{"file", options_.config_file}});
  TakeConfig({*std::move(config), Ignore});
}

void TfsModels::TakeConfig(Change change) {
  std::vector<std::string> gone;
  for (const auto& [name, model] : models_) {
    const bool stays =
        std::any_of(change.config.begin(), change.config.end(),
                    [&name = name](const TfsModelConfig& config) { return config.name == name; });
    if (!stays) gone.push_back(name);
  }
  for (const std::string& name : gone) Drop(name);
  const Done part = Gather(change.config.size() + 1, std::move(change.done));
  for (TfsModelConfig& config : change.config) {
    auto known = models_.find(config.name);
    if (known != models_.end() && known->second.config.base_path != config.base_path) Drop(config.name);
    Model& model = models_[config.name];
    model.config = std::move(config);
    model.empty_told = false;
    const std::string directory = options_.root + "/" + model.config.name;
    Status written = os::MakeDirs(directory);
    if (written.ok())
      written = os::WriteFileAtomic(directory + "/model.yaml", ModelYaml(model.config, options_.threads));
    if (!written.ok())
      part(written);
    else
      Align(model, part);
  }
  part({});
}

void TfsModels::Align(Model& model, const Done& done) {
  auto on_disk = VersionsUnder(model.config.base_path);
  const auto wanted = on_disk.ok() ? Wanted(model.config, *on_disk) : std::map<int64_t, std::string>{};
  if (wanted.empty() && !std::exchange(model.empty_told, true)) {
    log::Warning(
        "no version of the model to serve under its base path; is there a directory named by a number?",
        {{"model", model.config.name},
         {"base_path", model.config.base_path},
         {"reason", on_disk.status().ToString()}});
  }
  Status linked = Link(model, wanted);
  if (!linked.ok()) return done(linked);
  const std::string& name = model.config.name;
  manager_.SetLabels(name, model.config.labels);
  std::vector<int64_t> load;
  Superseded superseded{name, {}};
  for (const auto& [version, path] : wanted) {
    if (!model.links.contains(version)) load.push_back(version);
  }
  for (const auto& [version, path] : model.links) {
    if (!wanted.contains(version)) superseded.versions.push_back(version);
  }
  model.links = wanted;
  auto loaded = Gather(load.size() + 1, [inbox = inbox_, superseded, done](const Status& status) {
    if (!superseded.versions.empty()) {
      std::lock_guard lock(inbox->mutex);
      inbox->superseded.push_back(superseded);
      inbox->changed.notify_all();
    }
    done(status);
  });
  for (int64_t version : load) manager_.Load(name, std::to_string(version), true, loaded);
  loaded({});
}

Status TfsModels::Link(const Model& model, const std::map<int64_t, std::string>& wanted) const {
  const std::string directory = options_.root + "/" + model.config.name;
  for (const auto& [version, path] : wanted) {
    if (model.links.contains(version)) continue;
    SNUG_RETURN_IF_ERROR(os::SymlinkAtomic(path, fmt::format("{}/{}", directory, version)));
  }
  return {};
}

// The version may have come back while the newer ones were loading.
void TfsModels::Retire(const Superseded& superseded) {
  auto model = models_.find(superseded.model);
  for (int64_t version : superseded.versions) {
    if (model != models_.end() && model->second.links.contains(version)) continue;
    manager_.Unload(superseded.model, std::to_string(version), false, Ignore);
    unlink(fmt::format("{}/{}/{}", options_.root, superseded.model, version).c_str());
  }
}

void TfsModels::Drop(const std::string& name) {
  log::Info("the model is no longer in the config", {{"model", name}});
  manager_.Unload(name, "", false, Ignore);
  Status removed = os::RemoveTree(options_.root + "/" + name);
  if (!removed.ok()) log::Warning("links are left over", {{"reason", removed.ToString()}});
  models_.erase(name);
}

}  // namespace snug::server
