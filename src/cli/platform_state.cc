#include "cli/platform_state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "cli/json_access.h"
#include "os/files.h"

namespace snug::cli {
namespace {

constexpr uint64_t kProcFileBytesMax = uint64_t{4} << 20;

Result<Json> ReadJsonFile(const std::string& path) {
  SNUG_ASSIGN_OR_RETURN(std::string text, os::ReadFile(path, uint64_t{1} << 20));
  return ParseJson(text, path);
}

// Texts of /proc/PID/cmdline or environ; none when the process is gone or somebody else's.
std::vector<std::string> ProcTexts(pid_t pid, const char* file) {
  auto content = os::ReadFile(fmt::format("/proc/{}/{}", pid, file), kProcFileBytesMax);
  std::vector<std::string> texts;
  if (!content.ok()) return texts;
  for (size_t begin = 0; begin < content->size();) {
    size_t end = std::min(content->find('\0', begin), content->size());
    texts.push_back(content->substr(begin, end - begin));
    begin = end + 1;
  }
  return texts;
}

std::vector<pid_t> AllPids() {
  std::vector<pid_t> pids;
  auto names = os::ListDir("/proc");
  if (!names.ok()) return pids;
  for (const auto& name : *names) {
    pid_t pid = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

std::string BaseName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string ProgramName(pid_t pid) {
  auto command = ProcTexts(pid, "cmdline");
  return command.empty() ? "" : BaseName(command[0]);
}

bool HasState(const std::vector<std::string>& command, const std::string& state) {
  for (size_t i = 1; i < command.size(); ++i) {
    if (command[i] == "--state=" + state) return true;
    if (command[i - 1] == "--state" && command[i] == state) return true;
  }
  return false;
}

bool IsInPlatform(pid_t pid, const std::string& state) {
  auto environment = ProcTexts(pid, "environ");
  return std::find(environment.begin(), environment.end(), std::string(kPlatformVariable) + "=" + state) !=
         environment.end();
}

void AddProcess(std::vector<PlatformProcess>& all, const os::ProcessId& id) {
  bool known = std::any_of(all.begin(), all.end(), [&](const auto& other) { return other.id == id; });
  if (known || id.pid == ::getpid() || !os::IsAlive(id)) return;
  all.push_back({id, ProgramName(id.pid)});
}

// A record names its process by pid and start time, at its top or one level down.
void AddRecorded(std::vector<PlatformProcess>& all, const Json& record) {
  int64_t pid = NumberOf(record, "pid");
  int64_t ticks = NumberOf(record, "start_ticks");
  if (pid > 1 && ticks > 0) AddProcess(all, {static_cast<pid_t>(pid), static_cast<uint64_t>(ticks)});
  if (!record.is_object()) return;
  for (const auto& [key, value] : record.items()) {
    if (value.is_object()) AddRecorded(all, value);
  }
}

}  // namespace

Status WriteConfig(const PlatformConfig& config) {
  Json json{{"port", config.port},
            {"front_door_port", config.front_door_port},
            {"threads", config.threads},
            {"controller", config.controller},
            {"envoy", config.envoy},
            {"plugins", config.plugins},
            {"token_file", config.token_file},
            {"controller_options", config.controller_options}};
  return os::WriteFileAtomic(config.state + "/platform.json", Dump(json, 2) + "\n");
}

Result<PlatformConfig> ReadConfig(const std::string& state) {
  SNUG_ASSIGN_OR_RETURN(Json json, ReadJsonFile(state + "/platform.json"));
  PlatformConfig config{.state = state,
                        .port = static_cast<uint16_t>(NumberOf(json, "port")),
                        .front_door_port = static_cast<uint16_t>(NumberOf(json, "front_door_port")),
                        .threads = static_cast<int>(NumberOf(json, "threads")),
                        .controller = TextOf(json, "controller"),
                        .envoy = TextOf(json, "envoy"),
                        .plugins = TextOf(json, "plugins"),
                        .token_file = TextOf(json, "token_file")};
  if (const Json& options = Field(json, "controller_options"); options.is_object()) {
    for (const auto& item : options.items())
      config.controller_options[item.key()] = TextOf(options, item.key());
  }
  if (config.controller.empty() || config.port == 0) {
    return InvalidArgument("{}/platform.json is incomplete: run `snug down` and `snug up`", state);
  }
  return config;
}

Result<ControllerFile> ReadControllerFile(const std::string& state) {
  SNUG_ASSIGN_OR_RETURN(Json json, ReadJsonFile(state + "/controller.json"));
  return ControllerFile{NumberOf(json, "pid"), TextOf(json, "api"), TextOf(json, "front_door")};
}

Status WriteSupervisorRecord(const std::string& state, const os::ProcessId& process) {
  Json json{{"pid", process.pid}, {"start_ticks", process.start_ticks}};
  return os::WriteFileAtomic(state + "/supervisor.json", Dump(json) + "\n");
}

Result<os::ProcessId> FindSupervisor(const std::string& state) {
  SNUG_ASSIGN_OR_RETURN(Json json, ReadJsonFile(state + "/supervisor.json"));
  os::ProcessId id{static_cast<pid_t>(NumberOf(json, "pid")),
                   static_cast<uint64_t>(NumberOf(json, "start_ticks"))};
  if (id.pid > 1 && os::IsAlive(id)) return id;
  return NotFound("no supervisor runs for {}", state);
}

Result<os::ProcessId> FindController(const std::string& state) {
  for (pid_t pid : AllPids()) {
    auto command = ProcTexts(pid, "cmdline");
    if (command.empty() || BaseName(command[0]) != "snug-controller" || !HasState(command, state)) continue;
    auto id = os::Identify(pid);
    if (id.ok() && os::IsAlive(*id)) return id;
  }
  return NotFound("no controller runs for {}", state);
}

std::vector<PlatformProcess> FindProcesses(const std::string& state) {
  std::vector<PlatformProcess> all;
  auto records = os::ListDir(state + "/run");
  for (const auto& name : records.ok() ? *records : std::vector<std::string>()) {
    auto record = ReadJsonFile(state + "/run/" + name);
    if (record.ok()) AddRecorded(all, *record);
  }
  for (pid_t pid : AllPids()) {
    if (!IsInPlatform(pid, state)) continue;
    auto id = os::Identify(pid);
    if (id.ok()) AddProcess(all, *id);
  }
  return all;
}

Result<os::UniqueFd> LockStart(const std::string& state) {
  std::string path = state + "/up.lock";
  os::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!fd.valid()) return ErrnoError(errno, path);
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return ErrnoError(errno, path);
  }
  return fd;
}

std::string ControllerLog(const std::string& state) {
  return state + "/controller.log";
}
std::string SupervisorLog(const std::string& state) {
  return state + "/supervisor.log";
}

}  // namespace snug::cli
