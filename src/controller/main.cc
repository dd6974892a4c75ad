// snug-controller: see docs/controller.md.
#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>

#include "base/log.h"
#include "controller/controller.h"
#include "controller/quotas.h"
#include "os/cpu_budget.h"
#include "os/files.h"
#include "os/process.h"

namespace snug::controller {
namespace {

constexpr uint64_t kMemoryMibMax = uint64_t{1} << 30;

struct Arguments {
  ControllerOptions options;
  std::string policy = "fifty-percent";
  double limit = 0;  // 0: the policy's own
  std::string quotas;
  uint64_t memory_mib = 0;  // 0: from the machine
  uint64_t group_memory_mib = 0;
  int drain_delay_ms = 1000;
  bool keep_running = false;
  std::string log_format = "text", log_level = "info";
};

// ../lib/snug beside the programs' folder, as built and as installed.
std::string DefaultPlugins(const std::string& bin) {
  for (const char* relative : {"/../lib/snug", "/../lib/x86_64-linux-gnu/snug"}) {
    std::error_code error;
    auto path = std::filesystem::canonical(bin + relative, error);
    if (!error) return path.string();
  }
  return "";
}

void AddOptions(CLI::App* app, Arguments* a) {
  ControllerOptions& o = a->options;
  app->add_option("--state", o.state_dir, "Folder of all state; made when missing")->required();
  app->add_option("--address", o.address, "Where the API listens; not loopback: needs --token-file")
      ->capture_default_str();
  app->add_option("--port", o.port, "Of the API; 0: a free one, see DIR/controller.json")
      ->capture_default_str();
  app->add_option("--token-file", o.token_file,
                  "Lines NAME:TOKEN; requests then need Authorization: Bearer TOKEN");
  app->add_option("--front-door-address", o.front_door_address, "Where the front door listens")
      ->capture_default_str();
  app->add_option("--front-door-port", o.front_door_port, "gRPC and REST; 0: a free one, kept")
      ->capture_default_str();
  app->add_option("--server", o.server_program, "The snug-server program; default: beside this one");
  app->add_option("--envoy", o.envoy_program, "The Envoy program; empty: no front door");
  app->add_option("--plugins", o.plugins_dir, "Folder of engines and parsers; default: ../lib/snug");
  app->add_option("--policy", a->policy, "How models are placed in groups")->capture_default_str();
  app->add_option("--limit", a->limit, "Of the policy: how full a group becomes, 0.5 = half of its cores");
  app->add_option("--quota", a->quotas,
                  "Cards of which each department's models may ask for shares: cars=4,homes=2.5");
  app->add_option("--group-cores", o.decide.group_cores,
                  "CPU cores that stand for a card; default: from the machine");
  app->add_option("--groups-max", o.decide.groups_max, "Groups at most")->capture_default_str();
  app->add_option("--memory-mib", a->memory_mib,
                  "For servers and models together; default: 90 % of what the machine or its cgroup has")
      ->check(CLI::Range(uint64_t{1}, kMemoryMibMax));
  app->add_option("--group-memory-mib", a->group_memory_mib, "For the models of a group; default: no limit")
      ->check(CLI::Range(uint64_t{1}, kMemoryMibMax));
  app->add_option("--threads", o.threads, "Thread budget of each server; 0: its group's cores")
      ->capture_default_str();
  app->add_option("--drain-seconds", o.drain_seconds, "That a stopping server may take")
      ->capture_default_str();
  app->add_option("--drain-delay-ms", a->drain_delay_ms, "Between leaving the front door and unloading")
      ->capture_default_str();
  app->add_option("--upload-bytes-max", o.upload_bytes_max, "Size of an uploaded tar at most")
      ->capture_default_str();
  app->add_flag("!--no-cgroups", o.cgroups, "Do not try to limit servers by cgroups");
  app->add_flag("--keep-running", a->keep_running,
                "SIGTERM leaves servers and front door running, as SIGHUP does");
  app->add_option("--log-format", a->log_format, "text or json")->check(CLI::IsMember({"text", "json"}));
  app->add_option("--log-level", a->log_level, "debug, info, warning, error");
}

Status Complete(Arguments* a) {
  ControllerOptions& o = a->options;
  std::string bin = std::filesystem::path(os::SelfPath()).parent_path().string();
  if (o.server_program.empty()) o.server_program = bin + "/snug-server";
  if (o.plugins_dir.empty()) o.plugins_dir = DefaultPlugins(bin);
  for (const std::string& program : {o.server_program, o.envoy_program}) {
    if (!program.empty() && !os::Exists(program)) return NotFound("program {} is not there", program);
  }
  SNUG_ASSIGN_OR_RETURN(o.decide.policy, placement::PolicyNamed(a->policy));
  if (a->limit != 0) o.decide.policy.limit = a->limit;
  if (!(o.decide.policy.limit > 0 && o.decide.policy.limit <= 4)) {
    return InvalidArgument("--limit {}: expected above 0 and at most 4 (0.5 is half of a group's cores)",
                           a->limit);
  }
  SNUG_ASSIGN_OR_RETURN(o.decide.quota_shares, ParseQuotas(a->quotas));
  if (o.decide.group_cores < 0)
    return InvalidArgument("--group-cores {}: expected above 0", o.decide.group_cores);
  os::CpuBudget machine = os::ReadCpuBudget();
  if (o.decide.group_cores == 0) o.decide.group_cores = DefaultGroupCores(machine.cores);
  o.decide.memory_bytes = a->memory_mib != 0 ? a->memory_mib << 20 : machine.memory_bytes / 10 * 9;
  o.decide.group_memory_bytes = a->group_memory_mib << 20;
  o.drain_delay = std::chrono::milliseconds(std::clamp(a->drain_delay_ms, 0, 600'000));
  return {};
}

int Fail(const Status& status) {
  log::Error("controller not started", {{"why", status.ToString()}});
  return status.code() == Code::kInvalidArgument ? 2 : 1;
}

int Serve(const Arguments& a, const sigset_t& signals) {
  auto outside = deploy::RealOutside();
  auto controller = Controller::Start(a.options, *outside);
  if (!controller.ok()) return Fail(controller.status());
  int signal = 0;
  ::sigwait(&signals, &signal);
  bool leave = signal == SIGHUP || a.keep_running;
  log::Info("controller stops", {{"signal", std::to_string(signal)}, {"servers", leave ? "go on" : "stop"}});
  (*controller)->Stop(!leave);
  return 0;
}

int Main(int argc, char** argv) {
  // Before any thread is made, so that all of them leave these to sigwait.
  sigset_t signals;
  ::sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app{"Snug's control plane: registry, placement, servers, front door, REST API"};
  app.set_version_flag("--version", SNUG_VERSION);
  Arguments a;
  a.options.decide.group_cores = 0;
  AddOptions(&app, &a);
  CLI11_PARSE(app, argc, argv);
  log::Init("snug-controller", log::LevelFromName(a.log_level),
            a.log_format == "json" ? log::Format::kJson : log::Format::kText);
  if (Status status = Complete(&a); !status.ok()) return Fail(status);
  return Serve(a, signals);
}

}  // namespace
}  // namespace snug::controller

int main(int argc, char** argv) {
  return snug::controller::Main(argc, argv);
}
