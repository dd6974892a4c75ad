#include "deploy/server_agent.h"

#include <algorithm>
#include <cmath>

#include "base/log.h"

namespace snug::deploy {
namespace {

constexpr uint64_t kAnswerBytesMax = uint64_t{16} << 20;

// Close to the event at first, seldom later: adds a tenth to what is waited for.
Duration Pace(Duration waited) {
  return std::clamp(waited / 10, kStepMin, kStepMax);
}

bool SameForTraffic(const ObservedServer& a, const ObservedServer& b) {
  return a.process.state == b.process.state && a.process.pid == b.process.pid && a.grpc_port == b.grpc_port &&
         a.rest_port == b.rest_port && a.copies == b.copies;
}

}  // namespace

ServerAgent::ServerAgent(Outside& outside, const ServerOptions& options, std::string id)
    : outside_(outside),
      options_(options),
      id_(std::move(id)),
      directory_(options.state_dir + "/servers/" + id_),
      keeper_(outside, id_, options.state_dir + "/run/" + id_ + ".json") {}

void ServerAgent::Adopt(std::span<const FoundProcess> found) {
  keeper_.Adopt("--ready-file", Path("ready.json"), found);
  std::lock_guard lock(mutex_);
  known_ = !keeper_.process().has_value();
}

void ServerAgent::SetGoal(Goal goal, DesiredServer desired) {
  std::lock_guard lock(mutex_);
  if (goal_ != goal) gone_ = false;
  goal_ = goal;
  desired_ = std::move(desired);
  has_goal_ = true;
}

Duration ServerAgent::Step() {
  DesiredServer desired;
  Goal goal = Goal::kRun;
  bool has_goal = false;
  {
    std::lock_guard lock(mutex_);
    desired = desired_;
    goal = goal_;
    has_goal = has_goal_;
  }
  if (!has_goal) {  // adopted, and nobody has said yet what it is for: only look
    if (keeper_.process() && FindPorts()) Probe();
    if (keeper_.process()) MeasureUse();
    Publish(index_ ? ProcessState::kReady : ProcessState::kStarting, "");
    return kStepMax;
  }
  if (goal != Goal::kRun) {
    Halt(goal);
    return kStepMin * 2;
  }
  bool was_settled = settled_;
  Run(desired);
  if (was_settled && !settled_) unsettled_since_ = outside_.Now();
  return settled_ ? kStepMax : Pace(outside_.Now() - unsettled_since_);
}

void ServerAgent::Halt(Goal goal) {
  bool stopped = keeper_.KeepStopped(std::chrono::seconds(options_.drain_seconds + 2));
  ForgetProcess();
  if (stopped && goal == Goal::kRemove) {
    Status status = outside_.Remove(directory_);
    if (!status.ok()) {
      log::Warning("server directory not removed", {{"server", id_}, {"why", status.text()}});
      stopped = false;
    }
  }
  if (stopped) LeaveCgroup();
  Publish(stopped ? ProcessState::kStopped : ProcessState::kStopping, "");
  std::lock_guard lock(mutex_);
  gone_ = stopped && goal_ == goal;
}

// A new process knows nothing of what the one before was told.
void ServerAgent::ForgetProcess() {
  probed_ = keeper_.process();
  ports_.reset();
  index_.reset();
  attempts_.clear();
  asked_at_.clear();
  unloads_.clear();
  copies_.clear();
  refused_ = false;
  usage_ = {};
  last_probe_ = {};
  last_usage_ = {};
  last_good_ = outside_.Now();
  settled_ = false;
  unsettled_since_ = outside_.Now();
}

void ServerAgent::Run(const DesiredServer& desired) {
  settled_ = false;
  if (Status status = outside_.MakeDirs(Path("models")); !status.ok()) {
    return Publish(ProcessState::kBackoff, status.text());
  }
  keeper_.KeepRunning(MakeCommand(desired));
  if (keeper_.process() != probed_) ForgetProcess();
  if (!keeper_.process()) {
    settled_ = true;  // nothing to hurry for before the next start
    Manage(desired);
    return Publish(ProcessState::kBackoff, keeper_.reason());
  }
  if (keeper_.stopping()) return Publish(ProcessState::kStopping, "it stops before it starts anew");
  TimePoint now = outside_.Now();
  if (!FindPorts()) {
    if (now - keeper_.started() > kServerStartMax) keeper_.Kill("it did not get ready in time; see its log");
    Manage(desired);
    return Publish(ProcessState::kStarting, "the server starts");
  }
  Probe();
  Duration silence = outside_.Now() - last_good_;
  if (silence > kHungAfter) keeper_.Kill(fmt::format("it has not answered for {:.0f} s", Seconds(silence)));
  Manage(desired);
  MeasureUse();
  if (!index_) return Publish(ProcessState::kStarting, "the server does not answer yet");
  if (refused_ || silence > kSilenceMax) {
    return Publish(ProcessState::kUnreachable, fmt::format("no answer for {:.1f} s", Seconds(silence)));
  }
  keeper_.Healthy();
  Publish(ProcessState::kReady, "");
}

// Tried once a run: where it is not allowed now, it will not be allowed at the next step.
void ServerAgent::EnterCgroup(double cores) {
  if (!options_.cgroups || cgroup_tried_) return;
  cgroup_tried_ = true;
  // Two platforms on one machine have servers of the same id.
  const size_t platform = std::hash<std::string>()(options_.state_dir);
  auto made = outside_.MakeCpuCgroup(fmt::format("snug-{:016x}-{}", platform, id_), cores);
  if (made.ok()) cgroup_ = *made;
  std::lock_guard lock(mutex_);
  if (!made.ok()) warning_ = "CPU limits of servers are not enforced: " + made.status().text();
}

// One that cannot be removed (an engine's process is just ending) is found again by the next start.
void ServerAgent::LeaveCgroup() {
  if (!cgroup_.empty()) (void)outside_.RemoveCgroup(cgroup_);
  cgroup_.clear();
  cgroup_tried_ = false;
}

Command ServerAgent::MakeCommand(const DesiredServer& desired) {
  EnterCgroup(desired.cores);
  int threads =
      options_.threads > 0 ? options_.threads : std::max(1, static_cast<int>(std::ceil(desired.cores)));
  Command command;
  command.identity_flag = "--ready-file";
  command.identity_value = Path("ready.json");
  command.stale_files = {command.identity_value};
  command.spawn.argv = {options_.program,
                        "--server-id",
                        id_,
                        "--models",
                        Path("models"),
                        "--control",
                        "explicit",
                        "--address",
                        options_.address,
                        "--grpc-port",
                        "0",
                        "--rest-port",
                        "0",
                        "--threads",
                        std::to_string(threads),
                        "--cache",
                        options_.state_dir + "/cache",
                        "--drain-seconds",
                        std::to_string(options_.drain_seconds),
                        "--ready-file",
                        command.identity_value};
  if (!options_.plugins_dir.empty()) {
    command.spawn.argv.insert(command.spawn.argv.end(), {"--plugins", options_.plugins_dir});
  }
  command.spawn.log_file = Path("server.log");
  command.spawn.cgroup_dir = cgroup_;
  return command;
}

bool ServerAgent::FindPorts() {
  if (ports_) return true;
  auto text = outside_.ReadFile(Path("ready.json"));
  if (!text.ok()) return false;
  auto ready = ParseReadyFile(*text);
  if (!ready.ok() || ready->pid != keeper_.process()->pid) return false;
  ports_ = *ready;
  last_good_ = outside_.Now();
  return true;
}

// Asks for the index; at rest only twice a second.
bool ServerAgent::Probe() {
  TimePoint now = outside_.Now();
  bool idle = index_ && !refused_ && std::ranges::all_of(copies_, [](const ObservedCopy& copy) {
                return copy.state == CopyState::kReady || copy.state == CopyState::kFailed;
              });
  if (idle && now - last_probe_ < kProbePeriod) return true;
  last_probe_ = now;
  auto response = outside_.Http(
      {.method = "POST",
       .url = fmt::format("http://{}:{}/v2/repository/index", options_.address, ports_->rest_port),
       .headers = {{"Content-Type", "application/json"}},
       .body = "{}",
       .body_file = {},
       .timeout = kProbeTimeout,
       .response_bytes_max = kAnswerBytesMax});
  refused_ = !response.ok() && response.status().code() == Code::kUnavailable;
  if (!response.ok() || response->status != 200) return false;
  auto index = ParseIndex(response->body);
  if (!index.ok()) return false;
  index_ = std::move(*index);
  ++index_serial_;
  last_good_ = outside_.Now();
  return true;
}

const IndexEntry* ServerAgent::Find(const std::string& model, int64_t version) const {
  if (!index_) return nullptr;
  auto it =
      std::ranges::find_if(*index_, [&](const auto& e) { return e.name == model && e.version == version; });
  return it == index_->end() ? nullptr : &*it;
}

void ServerAgent::Manage(const DesiredServer& desired) {
  std::vector<ObservedCopy> copies;
  std::set<Key> wanted;
  std::set<std::string> models;
  for (const DesiredCopy& copy : desired.copies) {
    wanted.insert({copy.model, copy.version});
    models.insert(copy.model);
    copies.push_back(ManageCopy(copy));
  }
  std::erase_if(attempts_, [&](const auto& entry) { return !wanted.contains(entry.first); });
  if (index_) {
    UnloadOthers(wanted, &copies);
    for (const ObservedCopy& copy : copies) models.insert(copy.model);
    RemoveLeftovers(models);
  }
  std::ranges::sort(copies, {}, [](const ObservedCopy& copy) { return Key{copy.model, copy.version}; });
  settled_ = std::ranges::all_of(copies, [](const ObservedCopy& copy) {
    return copy.state == CopyState::kReady || copy.state == CopyState::kFailed;
  });
  if (!keeper_.process()) settled_ = true;
  copies_ = std::move(copies);
}

ObservedCopy ServerAgent::ManageCopy(const DesiredCopy& copy) {
  ObservedCopy seen{copy.model, copy.version, CopyState::kPending, "", 0, ""};
  if (!index_) {
    seen.reason = "its server does not run yet";
    return seen;
  }
  const IndexEntry* entry = Find(copy.model, copy.version);
  if (entry == nullptr || entry->state == IndexState::kUnavailable) return LoadAgain(copy, std::move(seen));
  seen.memory_bytes = entry->memory_bytes;
  seen.description = entry->description;
  if (entry->state == IndexState::kReady) {
    attempts_[{copy.model, copy.version}] = {};
    seen.state = CopyState::kReady;
    seen.reason = entry->reason;  // what to know of it, such as that it has left memory
  } else if (entry->state == IndexState::kLoading) {
    seen.state = CopyState::kLoading;
    seen.reason = "it loads and warms up";
  } else {
    seen.reason = "it unloads before it loads again";
  }
  return seen;
}

// The version is not in the server: never asked for, or failed.
ObservedCopy ServerAgent::LoadAgain(const DesiredCopy& copy, ObservedCopy seen) {
  Attempt& attempt = attempts_[{copy.model, copy.version}];
  TimePoint now = outside_.Now();
  if (auto asked = asked_at_.find(copy.model); asked != asked_at_.end() && asked->second == index_serial_) {
    seen.state = attempt.requested ? CopyState::kLoading : CopyState::kPending;
    return seen;
  }
  if (attempt.requested) {
    const IndexEntry* entry = Find(copy.model, copy.version);
    attempt.requested = false;
    attempt.reason =
        entry != nullptr && !entry->reason.empty() ? entry->reason : "the server did not load it";
    attempt.next = now + attempt.backoff.Next({});
    log::Warning("model not loaded", {{"server", id_},
                                      {"model", copy.model},
                                      {"version", std::to_string(copy.version)},
                                      {"why", attempt.reason}});
  }
  seen.reason = attempt.reason;
  seen.state = attempt.reason.empty() ? CopyState::kPending : CopyState::kFailed;
  if (now < attempt.next) return seen;
  // The model's directory holds one version's settings, so another one must have left before.
  bool other = std::ranges::any_of(*index_, [&](const IndexEntry& e) {
    return e.name == copy.model && e.version != copy.version && e.state != IndexState::kUnavailable;
  });
  if (other) {
    seen.reason = "another version leaves this server first";
    return seen;
  }
  Status status = Prepare(copy);
  if (status.ok()) {
    asked_at_[copy.model] = index_serial_;  // also when no answer comes: it may have been heard
    status = Ask(copy.model, copy.version, "load");
  }
  attempt.requested = status.ok();
  if (status.ok()) {
    if (seen.state == CopyState::kPending) seen.state = CopyState::kLoading;
    last_probe_ = {};
    return seen;
  }
  attempt.reason = status.text();
  attempt.next = now + attempt.backoff.Next({});
  seen.reason = attempt.reason;
  seen.state = CopyState::kFailed;
  return seen;
}

Status ServerAgent::Prepare(const DesiredCopy& copy) {
  std::string directory = ModelDir(copy.model);
  SNUG_RETURN_IF_ERROR(outside_.MakeDirs(directory));
  std::string wanted = std::to_string(copy.version);
  SNUG_ASSIGN_OR_RETURN(auto names, outside_.ListDir(directory));
  for (const std::string& name : names) {
    if (name != wanted && name != "model.yaml") SNUG_RETURN_IF_ERROR(outside_.Remove(directory + "/" + name));
  }
  SNUG_RETURN_IF_ERROR(outside_.WriteFile(directory + "/model.yaml", copy.config_yaml));
  return outside_.Symlink(copy.store_dir, directory + "/" + wanted);
}

Status ServerAgent::Ask(const std::string& model, int64_t version, const char* verb) {
  SNUG_ASSIGN_OR_RETURN(os::HttpResponse response,
                        outside_.Http({.method = "POST",
                                       .url = fmt::format("http://{}:{}/v2/repository/models/{}/{}",
                                                          options_.address, ports_->rest_port, model, verb),
                                       .headers = {{"Content-Type", "application/json"}},
                                       .body = VersionBody(version),
                                       .body_file = {},
                                       .timeout = kProbeTimeout,
                                       .response_bytes_max = kAnswerBytesMax}));
  if (response.status == 200) return {};
  return Unavailable("{}", ErrorText(response.body));
}

void ServerAgent::UnloadOthers(const std::set<Key>& wanted, std::vector<ObservedCopy>* copies) {
  for (const IndexEntry& entry : *index_) {
    Key key{entry.name, entry.version};
    if (wanted.contains(key) || entry.state == IndexState::kUnavailable) continue;
    copies->push_back({entry.name, entry.version, CopyState::kUnloading, "it leaves this server",
                       entry.memory_bytes, entry.description});
    auto asked = unloads_.find(key);
    bool again = asked == unloads_.end() || outside_.Now() - asked->second > kUnloadRetry;
    if (!again || entry.state == IndexState::kUnloading) continue;
    if (Ask(entry.name, entry.version, "unload").ok()) unloads_[key] = outside_.Now();
    last_probe_ = {};
  }
  std::erase_if(unloads_,
                [&](const auto& item) { return Find(item.first.first, item.first.second) == nullptr; });
}

void ServerAgent::RemoveLeftovers(const std::set<std::string>& models) {
  auto names = outside_.ListDir(Path("models"));
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (!models.contains(name)) (void)outside_.Remove(ModelDir(name));
  }
}

void ServerAgent::MeasureUse() {
  TimePoint now = outside_.Now();
  if (last_usage_ != TimePoint{} && now - last_usage_ < kUsagePeriod) return;
  last_usage_ = now;
  if (auto usage = outside_.Usage(*keeper_.process()); usage.ok()) usage_ = *usage;
  outside_.LimitLog(Path("server.log"));
}

void ServerAgent::Publish(ProcessState state, std::string reason) {
  ObservedServer next;
  next.process = {state, std::move(reason), keeper_.process() ? keeper_.process()->pid : 0,
                  keeper_.restarts()};
  next.host = options_.address;
  if (ports_) {
    next.grpc_port = ports_->grpc_port;
    next.rest_port = ports_->rest_port;
  }
  next.cpu_seconds = usage_.cpu_seconds;
  next.memory_bytes = usage_.memory_bytes;
  next.log_file = Path("server.log");
  next.copies = copies_;
  if (next.copies.empty() && index_) {
    for (const IndexEntry& entry : *index_) {
      if (entry.state != IndexState::kReady) continue;
      next.copies.push_back(
          {entry.name, entry.version, CopyState::kReady, "", entry.memory_bytes, entry.description});
    }
  }
  std::lock_guard lock(mutex_);
  bool known =
      known_ || index_ || refused_ || !keeper_.process() || outside_.Now() - keeper_.started() > kAdoptionMax;
  if (!SameForTraffic(next, observed_) || known != known_) ++changes_;
  known_ = known;
  observed_ = std::move(next);
}

ObservedServer ServerAgent::Observe() const {
  std::lock_guard lock(mutex_);
  return observed_;
}

bool ServerAgent::known() const {
  std::lock_guard lock(mutex_);
  return known_;
}

bool ServerAgent::gone() const {
  std::lock_guard lock(mutex_);
  return gone_;
}

std::string ServerAgent::warning() const {
  std::lock_guard lock(mutex_);
  return warning_;
}

uint64_t ServerAgent::changes() const {
  std::lock_guard lock(mutex_);
  return changes_;
}

}  // namespace snug::deploy
