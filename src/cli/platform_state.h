// What a state directory says about the platform that lives in it, and which of its processes run.
//
//   DIR/controller.json   written by the controller once it listens: {"pid","api","front_door",…}
//   DIR/platform.json     how `snug up` was called: the supervisor starts controllers by it; removed by an
//   orderly stop DIR/supervisor.json   {"pid","start_ticks"} of the supervisor DIR/run/*.json        the
//   controller's records of servers and front door
//
// Every process that the supervisor starts inherits SNUG_PLATFORM=DIR in its environment, and so do theirs:
// that tells the platform's processes from all others even when every record is lost.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "os/process.h"
#include "os/unique_fd.h"

namespace snug::cli {

inline constexpr char kPlatformVariable[] = "SNUG_PLATFORM";

// How the platform is started.
struct PlatformConfig {
  std::string state;  // absolute
  uint16_t port = 0;
  uint16_t front_door_port = 0;
  int threads = 0;
  std::string controller;  // path of snug-controller
  std::string envoy;
  std::string plugins;
  std::string token_file;
  std::map<std::string, std::string> controller_options;  // "--policy" → "best-fit"
};
Status WriteConfig(const PlatformConfig& config);
// NOT_FOUND when the platform was never started there.
Result<PlatformConfig> ReadConfig(const std::string& state);

struct ControllerFile {
  int64_t pid = 0;
  std::string api;         // "http://127.0.0.1:8080"
  std::string front_door;  // "127.0.0.1:8090"; empty before it runs
};
Result<ControllerFile> ReadControllerFile(const std::string& state);

Status WriteSupervisorRecord(const std::string& state, const os::ProcessId& process);

// A process of the platform, for people.
struct PlatformProcess {
  os::ProcessId id;
  std::string name;  // "snug-server"
};

// The supervisor or controller that runs now. NOT_FOUND when none does.
Result<os::ProcessId> FindSupervisor(const std::string& state);
Result<os::ProcessId> FindController(const std::string& state);
// All others that belong to the platform of `state`: by its records in run/ and by their environment. Never
// this one.
std::vector<PlatformProcess> FindProcesses(const std::string& state);

// Two `snug up` or `snug down` of one state directory wait for each other. Blocks.
Result<os::UniqueFd> LockStart(const std::string& state);

std::string ControllerLog(const std::string& state);
std::string SupervisorLog(const std::string& state);

}  // namespace snug::cli
