#include "deploy/local_deployer.h"

#include <algorithm>
#include <set>

#include "base/log.h"

namespace snug::deploy {
namespace {

constexpr std::string_view kFrontDoorRecord = "front-door.json";
constexpr auto kStopPollPeriod = std::chrono::milliseconds(10);

// What our ids look like; anything else in our directories is left alone.
bool IsServerId(std::string_view id) {
  return !id.empty() && id.size() <= 64 && id[0] == 'g' &&
         id.find_first_not_of("g0123456789-") == std::string::npos;
}

}  // namespace

std::string_view Name(ProcessState state) {
  switch (state) {
    case ProcessState::kStopped:
      return "STOPPED";
    case ProcessState::kStarting:
      return "STARTING";
    case ProcessState::kReady:
      return "READY";
    case ProcessState::kUnreachable:
      return "UNREACHABLE";
    case ProcessState::kBackoff:
      return "BACKOFF";
    case ProcessState::kStopping:
      return "STOPPING";
  }
  return "STOPPED";
}

std::string_view Name(CopyState state) {
  switch (state) {
    case CopyState::kPending:
      return "PENDING";
    case CopyState::kLoading:
      return "LOADING";
    case CopyState::kReady:
      return "READY";
    case CopyState::kFailed:
      return "FAILED";
    case CopyState::kUnloading:
      return "DRAINING";
  }
  return "PENDING";
}

const ObservedCopy* ObservedServer::Copy(std::string_view model, int64_t version) const {
  auto it =
      std::ranges::find_if(copies, [&](const auto& c) { return c.model == model && c.version == version; });
  return it == copies.end() ? nullptr : &*it;
}

LocalDeployer::LocalDeployer(Outside& outside, ServerOptions options, bool threads,
                             std::function<void()> on_change)
    : outside_(outside), options_(std::move(options)), threads_(threads), on_change_(std::move(on_change)) {
  auto found = outside_.Processes();
  if (!found.ok()) log::Warning("processes cannot be listed", {{"why", found.status().text()}});
  std::vector<FoundProcess> processes = found.ok() ? *found : std::vector<FoundProcess>();
  std::lock_guard lock(mutex_);
  for (const std::string& id : KnownIds(processes)) {
    auto server = std::make_shared<Server>(outside_, options_, id);
    server->agent.Adopt(processes);
    servers_[id] = server;
  }
  for (auto& [id, server] : servers_) {
    if (threads_)
      server->looper = std::make_unique<Looper>([this, raw = server.get()] { return StepOne(*raw); });
  }
}

LocalDeployer::~LocalDeployer() {
  std::map<std::string, std::shared_ptr<Server>> servers;
  {
    std::lock_guard lock(mutex_);
    servers.swap(servers_);
  }
  for (auto& [id, server] : servers) server->looper.reset();
}

// From our records, from server directories, and from the arguments of running processes: whatever survived.
std::vector<std::string> LocalDeployer::KnownIds(const std::vector<FoundProcess>& found) {
  std::set<std::string> ids;
  if (auto records = outside_.ListDir(options_.state_dir + "/run"); records.ok()) {
    for (const std::string& name : *records) {
      if (name != kFrontDoorRecord && name.ends_with(".json")) ids.insert(name.substr(0, name.size() - 5));
    }
  }
  if (auto directories = outside_.ListDir(options_.state_dir + "/servers"); directories.ok()) {
    ids.insert(directories->begin(), directories->end());
  }
  for (const FoundProcess& process : found) {
    for (size_t i = 0; i + 1 < process.argv.size(); ++i) {
      const std::string& id = process.argv[i + 1];
      std::string ready = options_.state_dir + "/servers/" + id + "/ready.json";
      if (process.argv[i] == "--server-id" && HasIdentity(process, "--ready-file", ready)) ids.insert(id);
    }
  }
  std::erase_if(ids, [](const std::string& id) { return !IsServerId(id); });
  return {ids.begin(), ids.end()};
}

std::vector<std::shared_ptr<LocalDeployer::Server>> LocalDeployer::All() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Server>> all;
  for (const auto& [id, server] : servers_) all.push_back(server);
  return all;
}

ObservedState LocalDeployer::Observe() {
  ObservedState state;
  state.complete = true;
  std::set<std::string> warnings;
  std::lock_guard lock(mutex_);
  for (const auto& [id, server] : servers_) {
    state.servers[id] = server->agent.Observe();
    state.complete = state.complete && server->agent.known();
    if (std::string warning = server->agent.warning(); !warning.empty()) warnings.insert(warning);
  }
  state.warnings.assign(warnings.begin(), warnings.end());
  return state;
}

std::shared_ptr<LocalDeployer::Server> LocalDeployer::Add(const std::string& id) {
  auto server = std::make_shared<Server>(outside_, options_, id);
  server->agent.Adopt({});
  servers_[id] = server;
  return server;
}

void LocalDeployer::Apply(const DesiredState& desired) {
  std::vector<std::shared_ptr<Server>> finished;  // their threads are joined without the lock
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    std::set<std::string> wanted;
    for (const DesiredServer& server : desired.servers) {
      wanted.insert(server.id);
      auto it = servers_.find(server.id);
      if (it == servers_.end() && servers_.size() >= kServersMax) continue;
      auto entry = it != servers_.end() ? it->second : Add(server.id);
      entry->agent.SetGoal(ServerAgent::Goal::kRun, server);
      if (threads_ && !entry->looper) {
        entry->looper = std::make_unique<Looper>([this, raw = entry.get()] { return StepOne(*raw); });
      }
      if (entry->looper) entry->looper->Wake();
    }
    for (auto it = servers_.begin(); it != servers_.end();) {
      if (wanted.contains(it->first)) {
        ++it;
      } else if (it->second->agent.gone()) {
        finished.push_back(it->second);
        it = servers_.erase(it);
      } else {
        it->second->agent.SetGoal(ServerAgent::Goal::kRemove, {});
        if (it->second->looper) it->second->looper->Wake();
        ++it;
      }
    }
  }
  for (auto& server : finished) server->looper.reset();
}

Duration LocalDeployer::StepOne(Server& server) {
  Duration wait = server.agent.Step();
  uint64_t changes = server.agent.changes();
  if (changes != server.changes_seen) {
    server.changes_seen = changes;
    if (on_change_) on_change_();
  }
  return wait;
}

void LocalDeployer::StepAll() {
  for (auto& server : All()) StepOne(*server);
}

bool LocalDeployer::StopAll(Duration limit) {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [id, server] : servers_) {
      server->agent.SetGoal(ServerAgent::Goal::kStop, {});
      if (server->looper) server->looper->Wake();
    }
  }
  TimePoint deadline = outside_.Now() + limit;
  for (;;) {
    if (!threads_) StepAll();
    auto all = All();
    if (std::ranges::all_of(all, [](const auto& server) { return server->agent.gone(); })) return true;
    if (outside_.Now() > deadline) return false;
    if (threads_) std::this_thread::sleep_for(kStopPollPeriod);
  }
}

}  // namespace snug::deploy
