#include "serving/repository_watch.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "os/files.h"
#include "serving/gather.h"

namespace snug::serving {
namespace {

void Ignore(const Status&) {}

// Whether a loaded version has to be loaded anew for the new config. Which versions are wanted, and their
// names, are the manager's to look at.
bool SameForLoaded(repository::ModelConfig one, const repository::ModelConfig& other) {
  one.labels = other.labels;
  one.versions = other.versions;
  one.swap = other.swap;
  one.load = other.load;
  one.limits = other.limits;
  one.payload_log = other.payload_log;
  return one == other;
}

}  // namespace

RepositoryWatch::RepositoryWatch(WatchOptions options, ModelManager& manager, Source source)
    : options_(options),
      manager_(manager),
      source_(std::move(source)),
      settling_(options.settle),
      thread_([this] { Run(); }) {}

RepositoryWatch::~RepositoryWatch() {
  {
    std::lock_guard lock(inbox_->mutex);
    inbox_->stopping = true;
  }
  inbox_->changed.notify_all();
  thread_.join();
}

void RepositoryWatch::Look(Done done) {
  {
    std::lock_guard lock(inbox_->mutex);
    inbox_->looks.push_back(std::move(done));
  }
  inbox_->changed.notify_all();
}

void RepositoryWatch::Run() {
  Inbox& inbox = *inbox_;
  for (;;) {
    std::unique_lock lock(inbox.mutex);
    auto asked = [&] { return inbox.stopping || !inbox.looks.empty(); };
    if (options_.poll > Duration{0})
      inbox.changed.wait_for(lock, options_.poll, asked);
    else
      inbox.changed.wait(lock, asked);
    if (inbox.stopping) return;
    auto looks = std::exchange(inbox.looks, {});
    lock.unlock();
    LookAround([looks = std::move(looks)](const Status& status) {
      for (const Done& done : looks) done(status);
    });
  }
}

void RepositoryWatch::LookAround(Done done) {
  auto scan = source_();
  if (!scan.ok()) {
    TellOnce("", scan.status());
    return done(scan.status());
  }
  std::set<std::string> there;
  for (const auto& [name, status] : scan->broken) {
    TellOnce(name, status);
    if (status.code() != Code::kNotFound) there.insert(name);
  }
  for (const auto& entry : scan->models) there.insert(entry.name);
  UnloadMissing(there);
  const Done part = SplitDone(scan->models.size() + 1, std::move(done));
  for (auto& entry : scan->models) {
    told_.erase(entry.name);
    if (!LookAt(std::move(entry), part)) {
      std::lock_guard lock(inbox_->mutex);
      inbox_->looks_after.push_back(part);
    }
  }
  settling_.EndLook();
  part({});
}

// False while the model is busy with its last change.
bool RepositoryWatch::LookAt(repository::ModelEntry entry, const Done& done) {
  bool config_settled = true;
  const Files settled = SettledFiles(entry, config_settled);
  Watched& watched = watched_[entry.name];
  if (!config_settled) {
    done({});
    return true;
  }
  {
    std::lock_guard lock(inbox_->mutex);
    if (!inbox_->busy.insert(entry.name).second) return false;
  }
  const std::set<int64_t> changed = Changes(entry, settled, watched);
  const std::string name = entry.name;
  manager_.Align(std::move(entry), changed, [inbox = inbox_, name, done](const Status& status) {
    {
      std::lock_guard lock(inbox->mutex);
      inbox->busy.erase(name);
      for (Done& look : inbox->looks_after) inbox->looks.push_back(std::move(look));
      inbox->looks_after.clear();
    }
    inbox->changed.notify_all();
    done(status);
  });
  return true;
}

RepositoryWatch::Files RepositoryWatch::SettledFiles(const repository::ModelEntry& entry,
                                                     bool& config_settled) {
  const TimePoint now = options_.clock->Now();
  const double wall = options_.clock->WallSeconds();
  auto look = [&](const std::string& path, const repository::Fingerprint& files) {
    return options_.settle == Duration{0} || settling_.Look(path, files, now, wall);
  };
  Files settled;
  for (const auto& [number, version] : entry.versions) {
    auto files = repository::TakeFingerprint(version.directory);
    if (files.ok() && look(version.directory, *files)) settled.emplace(number, *files);
  }
  const std::string config = entry.directory + "/model.yaml";
  auto file = repository::TakeFingerprint(config);
  config_settled = !file.ok() || look(config, *file);
  return settled;
}

// Leaves in `entry` what may be loaded or is loaded, and notes it.
std::set<int64_t> RepositoryWatch::Changes(repository::ModelEntry& entry, const Files& settled,
                                           Watched& watched) const {
  std::set<int64_t> changed;
  Files handed;
  for (auto at = entry.versions.begin(); at != entry.versions.end();) {
    const auto files = settled.find(at->first);
    const auto before = watched.versions.find(at->first);
    const bool known = before != watched.versions.end();
    if (!known && files == settled.end()) {
      at = entry.versions.erase(at);
      continue;
    }
    const bool is_change = files != settled.end() && (!known || files->second != before->second);
    if (is_change && (!known || options_.reload_changed)) changed.insert(at->first);
    handed[at->first] = is_change ? files->second : before->second;
    ++at;
  }
  if (!watched.is_new && !SameForLoaded(watched.config, entry.config)) {
    for (const auto& [number, unused] : entry.versions) changed.insert(number);
  }
  watched = {false, entry.config, std::move(handed)};
  return changed;
}

void RepositoryWatch::UnloadMissing(const std::set<std::string>& there) {
  for (auto at = watched_.begin(); at != watched_.end();) {
    if (there.contains(at->first)) {
      ++at;
      continue;
    }
    log::Info("the model is no longer there", {{"model", at->first}});
    manager_.Unload(at->first, "", false, Ignore);
    at = watched_.erase(at);
  }
}

void RepositoryWatch::TellOnce(const std::string& name, const Status& problem) {
  std::string& told = told_[name];
  if (told == problem.ToString()) return;
  told = problem.ToString();
  log::Error(name.empty() ? "the models cannot be looked at" : "a model cannot be read",
             {{"model", name}, {"reason", told}});
}

}  // namespace snug::serving
