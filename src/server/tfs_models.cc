#include "server/tfs_models.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "os/files.h"
#include "repository/limits.h"

namespace snug::server {
namespace {

bool Polls(Duration interval) {
  return interval > Duration{0};
}

// Whether what is done each `interval` is due, and when it is the next time.
bool IsDue(Duration interval, TimePoint& next) {
  const TimePoint now = SystemClock().Now();
  if (!Polls(interval) || now < next) return false;
  next = now + interval;
  return true;
}

serving::WatchOptions WatchOptionsOf(const TfsModelsOptions& options) {
  serving::WatchOptions watch;
  watch.reload_changed = false;
  watch.poll = options.poll;
  if (Polls(options.config_poll) && (!Polls(watch.poll) || options.config_poll < watch.poll))
    watch.poll = options.config_poll;
  return watch;
}

repository::ModelConfig ModelConfigOf(const TfsModelConfig& from, int threads) {
  repository::ModelConfig config;
  config.threads = std::clamp(threads, 1, repository::kThreadsMax);
  config.versions = from.policy;
  config.labels = from.labels;
  return config;
}

}  // namespace

TfsModels::TfsModels(TfsModelsOptions options, serving::ModelManager& models)
    : options_(std::move(options)),
      next_config_(SystemClock().Now() + options_.config_poll),
      watch_(WatchOptionsOf(options_), models, [this] { return Look(); }) {}

void TfsModels::Apply(std::vector<TfsModelConfig> config, Done done) {
  {
    std::lock_guard lock(mutex_);
    config_ = std::move(config);
    config_is_new_ = true;
  }
  watch_.Look(std::move(done));
}

repository::ScanResult TfsModels::Look() {
  if (!options_.config_file.empty() && IsDue(options_.config_poll, next_config_)) ReadConfigFile();
  std::vector<TfsModelConfig> config;
  bool is_new = false;
  {
    std::lock_guard lock(mutex_);
    config = config_;
    is_new = std::exchange(config_is_new_, false);
  }
  if (IsDue(options_.poll, next_paths_) || is_new) last_ = ReadBasePaths(config);
  return last_;
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
  std::lock_guard lock(mutex_);
  config_ = *std::move(config);
  config_is_new_ = true;
}

repository::ScanResult TfsModels::ReadBasePaths(const std::vector<TfsModelConfig>& config) const {
  repository::ScanResult found;
  for (const TfsModelConfig& model : config) {
    auto versions = repository::ReadVersions(model.base_path);
    if (versions.ok()) {
      found.models.push_back(
          {model.name, model.base_path, ModelConfigOf(model, options_.threads), *std::move(versions)});
    } else {
      found.broken.emplace(model.name, versions.status());
    }
  }
  return found;
}

}  // namespace snug::server
