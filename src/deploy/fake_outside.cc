#include "deploy/fake_outside.h"

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

namespace snug::deploy {
namespace {

constexpr int kStepsToLoad = 3;

bool Under(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

os::HttpResponse Reply(int status, std::string body) {
  return {status, {}, std::move(body)};
}

}  // namespace

std::string FakeOutside::Process::Flag(const std::string& name) const {
  auto it = std::ranges::find(argv, name);
  return it == argv.end() || it + 1 == argv.end() ? "" : *(it + 1);
}

std::vector<pid_t> FakeOutside::Alive() const {
  std::vector<pid_t> pids;
  for (const auto& [pid, process] : processes_) {
    if (process.alive) pids.push_back(pid);
  }
  return pids;
}

std::vector<pid_t> FakeOutside::AliveServers(const std::string& id) const {
  std::vector<pid_t> pids = Alive();
  std::erase_if(pids, [&](pid_t pid) { return processes_.at(pid).Flag("--server-id") != id; });
  return pids;
}

void FakeOutside::Tick(Duration by) {
  now_ += by;
  for (auto& [pid, process] : processes_) {
    if (!process.alive) continue;
    if (process.rest_port == 0 && !process.Flag("--ready-file").empty()) {
      process.rest_port = next_port_++;
      files_[process.Flag("--ready-file")] = nlohmann::json{
          {"pid", pid},
          {"grpc_port", process.rest_port + 10000},
          {"rest_port", process.rest_port}}.dump();
    }
    for (auto& [key, loaded] : process.models) {
      if (loaded.steps_left == 0 || --loaded.steps_left > 0) continue;
      if (loaded.state == "UNLOADING") loaded = {"UNAVAILABLE", "unloaded", 0};
      if (loaded.state != "LOADING") continue;
      loaded.state = key.first.starts_with("broken") ? "UNAVAILABLE" : "READY";
      loaded.reason = loaded.state == "READY" ? "" : "the graph is rubbish";
    }
  }
}

Status FakeOutside::Effect(const std::function<Status()>& act) {
  bool crash = crash_in_ > 0 && --crash_in_ == 0;
  if (crash && !crash_after_) throw Crash{};
  if (failure_ > 0 && rng_.Uniform() < failure_) {
    if (crash) throw Crash{};
    return Unavailable("a fault of the test");
  }
  Status status = act();
  if (crash) throw Crash{};
  return status;
}

Result<os::ProcessId> FakeOutside::Spawn(const os::SpawnOptions& options) {
  os::ProcessId id;
  SNUG_RETURN_IF_ERROR(Effect([&]() -> Status {
    ++spawns_;
    id = {next_pid_++, 7};
    processes_[id.pid].argv = options.argv;
    processes_[id.pid].cgroup_dir = options.cgroup_dir;
    return {};
  }));
  return id;
}

bool FakeOutside::IsAlive(const os::ProcessId& process) {
  auto it = processes_.find(process.pid);
  return it != processes_.end() && it->second.alive;
}

Status FakeOutside::Signal(const os::ProcessId& process, int signal) {
  return Effect([&]() -> Status {
    auto it = processes_.find(process.pid);
    if (it != processes_.end() && (signal == SIGKILL || !it->second.stubborn)) it->second.alive = false;
    return {};
  });
}

Result<TreeUsage> FakeOutside::Usage(const os::ProcessId&) {
  return TreeUsage{1.5, 1 << 20};
}

Result<std::vector<FoundProcess>> FakeOutside::Processes() {
  std::vector<FoundProcess> found;
  for (pid_t pid : Alive()) found.push_back({{pid, 7}, processes_.at(pid).argv});
  return found;
}

Result<std::string> FakeOutside::ReadFile(const std::string& path) {
  auto it = files_.find(path);
  if (it == files_.end()) return NotFound("{}", path);
  return it->second;
}

Status FakeOutside::WriteFile(const std::string& path, const std::string& content) {
  return Effect([&]() -> Status {
    files_[path] = content;
    return {};
  });
}

Status FakeOutside::Remove(const std::string& path) {
  return Effect([&]() -> Status {
    std::erase_if(files_, [&](const auto& file) { return Under(file.first, path); });
    return {};
  });
}

Status FakeOutside::Symlink(const std::string& target, const std::string& link) {
  return Effect([&]() -> Status {
    files_[link] = "-> " + target;
    return {};
  });
}

Result<std::vector<std::string>> FakeOutside::ListDir(const std::string& path) {
  std::set<std::string> names;
  for (const auto& [file, content] : files_) {
    if (!file.starts_with(path + "/")) continue;
    std::string rest = file.substr(path.size() + 1);
    names.insert(rest.substr(0, rest.find('/')));
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<os::HttpResponse> FakeOutside::Http(const os::HttpRequest& request) {
  os::HttpResponse response;
  SNUG_RETURN_IF_ERROR(Effect([&]() -> Status {
    for (auto& [pid, process] : processes_) {
      bool ours = request.url.starts_with(fmt::format("http://127.0.0.1:{}/", process.rest_port));
      if (!process.alive || process.rest_port == 0 || !ours) continue;
      if (process.hung) return Error(Code::kDeadlineExceeded, "timeout");
      response = Answer(process, request);
      return {};
    }
    return Unavailable("connection refused");
  }));
  return response;
}

Status FakeOutside::Load(Process& process, const std::string& model, int64_t version) {
  std::string directory = process.Flag("--models") + "/" + model;
  if (!files_.contains(directory + "/model.yaml") ||
      !files_.contains(fmt::format("{}/{}", directory, version))) {
    return NotFound("no such version");
  }
  for (const auto& [key, loaded] : process.models) {
    bool other = key.first == model && key.second != version && loaded.state != "UNAVAILABLE";
    EXPECT_FALSE(other) << "two versions of " << model << " in one server";
  }
  process.models[{model, version}] = {"LOADING", "", kStepsToLoad};
  return {};
}

os::HttpResponse FakeOutside::Answer(Process& process, const os::HttpRequest& request) {
  if (request.url.ends_with("/v2/repository/index")) {
    nlohmann::json index = nlohmann::json::array();
    for (const auto& [key, loaded] : process.models) {
      index.push_back({{"name", key.first},
                       {"version", std::to_string(key.second)},
                       {"state", loaded.state},
                       {"reason", loaded.reason},
                       {"memory_bytes", 1000},
                       {"description", "fake 1.0"}});
    }
    return Reply(200, index.dump());
  }
  auto slash = request.url.rfind('/');
  std::string verb = request.url.substr(slash + 1);
  auto before = request.url.rfind('/', slash - 1);
  std::string model = request.url.substr(before + 1, slash - before - 1);
  auto body = nlohmann::json::parse(request.body);
  int64_t version = std::stoll(body["parameters"]["version"].get<std::string>());
  if (verb == "load") {
    Status status = Load(process, model, version);
    return status.ok() ? Reply(200, "{}") : Reply(404, nlohmann::json{{"error", status.text()}}.dump());
  }
  auto it = process.models.find({model, version});
  if (it != process.models.end() && it->second.state != "UNAVAILABLE") it->second = {"UNLOADING", "", 1};
  return Reply(200, "{}");
}

Result<std::string> FakeOutside::MakeCpuCgroup(const std::string& name, double cores) {
  if (!cgroups_allowed_) return Error(Code::kPermissionDenied, "no cgroups here");
  cgroups_["/cgroup/" + name] = cores;
  return "/cgroup/" + name;
}

Status FakeOutside::RemoveCgroup(const std::string& directory) {
  cgroups_.erase(directory);
  return {};
}

}  // namespace snug::deploy
