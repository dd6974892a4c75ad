// The command line as a value: what was asked for, checked as far as it can be without looking at anything
// else.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace snug::cli {

// Before or after the subcommand.
struct Globals {
  std::string api;    // --api, or SNUG_API when the state directory was not named either; empty: find it
  std::string state;  // absolute
  bool state_given = false;  // by --state: then no other platform will do
  std::string token_file;
  bool json = false;
};

inline constexpr uint16_t kPortDefault = 8080;
inline constexpr uint16_t kFrontDoorPortDefault = 8090;

struct UpOptions {
  // What is not given is as last time when the platform was not stopped by `snug down`, else a default.
  std::optional<uint16_t> port;             // 0: a free one; default kPortDefault
  std::optional<uint16_t> front_door_port;  // 0: a free one; default kFrontDoorPortDefault
  int threads = 0;                          // 0: what the machine or its cgroup gives
  std::string envoy;                        // empty: found
  std::string plugins;                      // empty: beside the program
  // "--policy" → "first-fit": passed on as they are; the controller knows the defaults.
  std::map<std::string, std::string> controller_options;
  bool foreground = false;
  double wait_seconds = 120;
};

struct DownOptions {
  bool delete_data = false;
};

struct DeployOptions {
  std::string path;
  std::string name;  // empty: from the path
  // Sent as they are; the controller knows the defaults.
  std::vector<std::pair<std::string, std::string>> query;
  std::optional<int64_t> version;
  double wait_seconds = 120;
};

struct PredictOptions {
  std::string name;
  std::string version;
  std::string file;  // "-": standard input
  std::optional<std::string> data;
  bool zeros = false;
  std::map<std::string, std::vector<int64_t>> shapes;  // for zeros, by input
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string front_door;  // empty: the platform's
  double timeout_seconds = 30;
  bool time = false;
};

struct MeasureOptions {
  PredictOptions call;
  std::vector<int> clients{1, 4};  // asked so one after the other
  double seconds = 5;              // each
  uint64_t requests = 0;           // if not 0: so many each, however long they take
};

struct ModelsOptions {
  std::string name;  // empty: all
};

struct ScaleOptions {
  std::string name;
  int copies = 1;
};

struct RouteOptions {
  std::string name;
  std::vector<std::pair<int64_t, int>> weights;  // version, weight
  bool automatic = false;
};

struct UndeployOptions {
  std::string name;
  double wait_seconds = 60;
};

struct StatusOptions {};

struct LogsOptions {
  std::string name;
  int lines = 100;
  bool follow = false;
};

struct VersionOptions {};

// The process behind `snug up`; not for people.
struct SuperviseOptions {};

struct SimulateOptions {
  std::vector<std::string> arguments;
};

using Command = std::variant<UpOptions, DownOptions, DeployOptions, PredictOptions, MeasureOptions,
                             ModelsOptions, ScaleOptions, RouteOptions, UndeployOptions, StatusOptions,
                             LogsOptions, VersionOptions, SuperviseOptions, SimulateOptions>;

struct Parsed {
  Globals globals;
  Command command;
};

// What to print instead of doing anything: help, or what was wrong with the arguments.
struct Stop {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// `arguments` without the program's name. `environment` stands for getenv.
std::variant<Parsed, Stop> Parse(std::vector<std::string> arguments,
                                 const std::map<std::string, std::string>& environment);

}  // namespace snug::cli
