// snug-server: from the command line to the drain.
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>

#include "base/log.h"
#include "engine/engine.h"
#include "net/http_server.h"
#include "os/cpu_budget.h"
#include "os/files.h"
#include "os/process.h"
#include "parsers/parser_host.h"
#include "server/core.h"
#include "server/grpc_server.h"
#include "server/options.h"
#include "server/payload_log.h"
#include "server/rest_service.h"
#include "server/tfs_models.h"
#include "server/tfs_options.h"
#include "server/tfs_rest.h"
#include "server/tfs_warmup.h"
#include "server/warmup_files.h"
#include "serving/compute_gate.h"
#include "serving/low_priority.h"
#include "serving/repository_watch.h"

namespace snug::server {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitStart = 1;
constexpr int kExitDrain = 3;
// Beyond --drain-seconds, for closing connections.
constexpr std::chrono::seconds kDrainSlack{1};
// Threads that read and write sockets; only quick requests are executed on them. REST's have connections of
// their own each, so that more of them cost nothing; gRPC's wake each other, and fewer do more.
constexpr int kRestThreadsMax = 16;
constexpr int kGrpcThreadsMax = 4;
// Part of the memory that gRPC messages under way may take.
constexpr uint64_t kMessageMemoryDivisor = 4;
constexpr uint64_t kMessageMemoryMin = uint64_t{256} << 20;

struct Threads {
  int all = 1;  // what engines may keep busy together
  int rest = 1;
  int grpc = 1;
  int load = 1;  // models loaded at a time
  int lend = 0;  // see serving::ComputeShares
};

Threads SplitThreads(const ServerOptions& options, const os::CpuBudget& budget) {
  Threads threads;
  threads.all = options.threads > 0 ? options.threads : budget.threads;
  threads.rest = std::clamp(threads.all, 1, kRestThreadsMax);
  threads.grpc = std::clamp(threads.all / 4, 1, kGrpcThreadsMax);
  threads.load = options.load_threads > 0 ? options.load_threads : std::max(1, threads.all / 2);
  // A CPU that the kernel shares out for a while costs nothing; a quota that is overdrawn stops all.
  threads.lend = threads.all >= budget.cpus ? 1 : 0;
  return threads;
}

std::string TemporaryDir() {
  const char* directory = getenv("TMPDIR");
  return directory != nullptr ? directory : "/tmp";
}

std::string DirName(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

// --plugins, else lib/snug (or Debian's lib/<triplet>/snug) beside the program's folder.
std::vector<std::string> PluginDirs(const ServerOptions& options) {
  if (!options.plugins.empty()) return {options.plugins};
  const std::string prefix = DirName(DirName(os::SelfPath()));
  return {prefix + "/lib/snug", prefix + "/lib/x86_64-linux-gnu/snug",
          prefix + "/lib/aarch64-linux-gnu/snug"};
}

std::unique_ptr<engine::EngineHost> MakeEngines(const ServerOptions& options, const Threads& threads) {
  engine::HostOptions host;
  host.plugin_dirs = PluginDirs(options);
  host.engine_program = DirName(os::SelfPath()) + "/snug-engine";
  host.threads = threads.all;
  return engine::EngineHost::Create(host);
}

Duration FromSeconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

// Null when REST is not wanted.
Result<std::unique_ptr<net::HttpServer>> StartRest(const ServerOptions& options, const Threads& threads,
                                                   Core& core) {
  if (!options.rest_enabled) return std::unique_ptr<net::HttpServer>();
  net::HttpServerOptions http;
  http.address = options.address;
  http.port = options.rest_port;
  http.threads = threads.rest;
  http.body_bytes_max = options.message_mib_max << 20;
  const TfsRestOptions tfs{options.metrics_path, FromSeconds(options.rest_timeout_seconds)};
  return net::HttpServer::Start(http, [&core, tfs](net::Request&& request, const net::Responder& respond) {
    if (HandleTfsRest(core, tfs, request, respond)) return;
    HandleRest(core, std::move(request), respond);
  });
}

Result<std::unique_ptr<GrpcServer>> StartGrpc(const ServerOptions& options, const Threads& threads,
                                              const os::CpuBudget& budget, Core& core) {
  GrpcOptions grpc;
  grpc.address = options.address;
  grpc.port = options.grpc_port;
  grpc.threads = threads.grpc;
  // With one CPU nothing is gained by a second thread, and a quota is overdrawn.
  if (threads.all == 1) grpc.send_here_bytes_max = UINT64_MAX;
  grpc.message_bytes_max = options.message_mib_max << 20;
  grpc.memory_bytes_max = std::max(budget.memory_bytes / kMessageMemoryDivisor, kMessageMemoryMin);
  grpc.keepalive_time = FromSeconds(options.keepalive_seconds);
  grpc.connection_age_max = FromSeconds(options.connection_age_seconds);
  grpc.socket_path = options.grpc_socket_path;
  grpc.channel_arguments = options.grpc_channel_arguments;
  return GrpcServer::Start(grpc, core);
}

Status WriteReadyFile(const std::string& path, uint16_t grpc_port, uint16_t rest_port) {
  if (path.empty()) return {};
  return os::WriteFileAtomic(path, fmt::format("{{\"pid\":{},\"grpc_port\":{},\"rest_port\":{}}}\n", getpid(),
                                               grpc_port, rest_port));
}

void LogStart(const os::CpuBudget& budget, const Threads& threads) {
  log::Info("CPU budget", {{"threads", std::to_string(threads.all)},
                           {"rest_threads", std::to_string(threads.rest)},
                           {"grpc_threads", std::to_string(threads.grpc)},
                           {"load_threads", std::to_string(threads.load)},
                           {"loads_at_low_priority", serving::CanLowerPriority() ? "yes" : "no"},
                           {"source", budget.source}});
}

// With --control poll: the watch that goes on looking.
std::unique_ptr<serving::RepositoryWatch> LoadModels(const ServerOptions& options, Core& core) {
  if (options.control == Control::kExplicit) {
    core.loaded = true;
    return nullptr;
  }
  if (options.control == Control::kNone) {
    core.models.LoadAll([&core](const Status& status) {
      if (!status.ok()) log::Error("the repository cannot be read", {{"reason", status.ToString()}});
      core.loaded = status.ok();
    });
    return nullptr;
  }
  serving::WatchOptions watch;
  watch.poll = FromSeconds(options.poll_seconds);
  watch.settle = std::max(watch.poll, Duration(serving::kSettleMin));
  auto look = [root = options.models] { return repository::Scan(root); };
  auto watching = std::make_unique<serving::RepositoryWatch>(watch, core.models, look);
  watching->Look([&core](const Status&) { core.loaded = true; });
  return watching;
}

// Signals that end the server are blocked in every thread and taken here.
sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Both protocols at once, each with the whole time. Ends the process when requests were not answered in it:
// an engine may still be at work, and nothing else stops it.
void Drain(GrpcServer& grpc, net::HttpServer* rest, Duration limit) {
  auto drained = [limit](auto* server) {
    return std::async(std::launch::async,
                      [server, limit] { return server == nullptr || server->Drain(limit); });
  };
  auto grpc_drained = drained(&grpc);
  auto rest_drained = drained(rest);
  const auto end = std::chrono::steady_clock::now() + limit + kDrainSlack;
  for (auto* outcome : {&grpc_drained, &rest_drained}) {
    if (outcome->wait_until(end) == std::future_status::ready && outcome->get()) continue;
    log::Warning("--drain-seconds ran out: the requests under way are dropped");
    _exit(kExitDrain);
  }
}

Result<std::vector<serving::WarmupRequest>> ReadWarmup(const std::string& directory) {
  SNUG_ASSIGN_OR_RETURN(std::vector<serving::WarmupRequest> requests, ReadWarmupFiles(directory));
  SNUG_ASSIGN_OR_RETURN(const std::vector<serving::WarmupRequest> recorded, ReadTfsWarmup(directory));
  requests.insert(requests.end(), recorded.begin(), recorded.end());
  return requests;
}

int Fail(const Status& status) {
  log::Error("cannot start", {{"reason", status.ToString()}});
  return kExitStart;
}

// The models of tensorflow_model_server's flags or config file, kept in line with their base paths.
std::unique_ptr<TfsModels> ServeTfsModels(const TfsOptions& options, int threads, Core& core) {
  TfsModelsOptions tfs{options.config_file, FromSeconds(options.config_poll_seconds),
                       FromSeconds(options.poll_seconds),
                       options.model_threads > 0 ? options.model_threads : threads};
  auto models = std::make_unique<TfsModels>(tfs, core.models);
  core.reload_config = [raw = models.get()](const std::string& bytes, serving::ModelManager::Done done) {
    auto config = DecodeTfsConfig(bytes);
    if (!config.ok()) return done(config.status());
    raw->Apply(*std::move(config), std::move(done));
  };
  for (const std::string& note : options.notes) log::Warning("a flag has no effect", {{"flag", note}});
  models->Apply(options.models, [&core](const Status& status) {
    if (!status.ok()) log::Error("not all models could be loaded", {{"reason", status.ToString()}});
    core.loaded = true;
  });
  return models;
}

// `tfs`: instead of a repository, the models of that command line; may be null.
int Serve(const ServerOptions& options, const TfsOptions* tfs) {
  const os::CpuBudget budget = os::ReadCpuBudget();
  const Threads threads = SplitThreads(options, budget);
  // glibc takes eight arenas for each of the machine's CPUs, and what one model's unloading frees in one of
  // them is no use to the next model's loading in another. No more than may be contended for.
  mallopt(M_ARENA_MAX, std::max(1, threads.all / 2));
  LogStart(budget, threads);
  if (tfs == nullptr && !os::IsDirectory(options.models))
    return Fail(NotFound("--models {}: no such directory", options.models));
  auto engines = MakeEngines(options, threads);
  auto parsers = parsers::ParserHost::Create(PluginDirs(options));
  serving::ComputeGate gate(threads.all, threads.lend, SystemClock());
  serving::ManagerOptions manager;
  manager.gate = &gate;
  manager.root = options.models;
  manager.cache_dir = options.cache_dir;
  manager.inline_dir = TemporaryDir();
  manager.load_threads = static_cast<size_t>(threads.load);
  manager.cpu_threads = threads.all;
  if (tfs == nullptr) {
    manager.load_time = options.load_time;
    manager.standby_after = std::chrono::seconds(options.standby_after_seconds);
  }
  manager.load_retries_max = options.load_retries;
  manager.read_warmup = ReadWarmup;
  manager.trim_idle = true;
  std::unique_ptr<PayloadLog> payloads;
  if (!options.payload_log_dir.empty()) payloads = std::make_unique<PayloadLog>(options.payload_log_dir);
  manager.payloads = payloads.get();
  auto models = std::make_unique<serving::ModelManager>(manager, *engines, *parsers);
  Core core{*models, options.server_id, options.control == Control::kExplicit};
  core.server_name = options.server_name;
  core.tracer = std::make_unique<Tracer>(options.trace_file);
  if (options.client_shared_memory) core.shared_memory.Allow(options.message_mib_max << 20);
  auto grpc = StartGrpc(options, threads, budget, core);
  if (!grpc.ok()) return Fail(grpc.status());
  auto rest = StartRest(options, threads, core);
  if (!rest.ok()) return Fail(rest.status());
  std::unique_ptr<TfsModels> tfs_models;
  std::unique_ptr<serving::RepositoryWatch> watch;
  if (tfs != nullptr)
    tfs_models = ServeTfsModels(*tfs, threads.all, core);
  else
    watch = LoadModels(options, core);
  const uint16_t rest_port = *rest ? (*rest)->port() : uint16_t{0};
  Status written = WriteReadyFile(options.ready_file, (*grpc)->port(), rest_port);
  if (!written.ok()) return Fail(written);
  log::Info("listening", {{"address", options.address},
                          {"grpc_port", std::to_string((*grpc)->port())},
                          {"rest_port", std::to_string(rest_port)},
                          {"models", options.models}});
  const sigset_t signals = StopSignals();
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  core.draining = true;
  log::Info("draining", {{"signal", std::to_string(signal_number)}});
  Drain(**grpc, rest->get(), FromSeconds(options.drain_seconds));
  log::Info("stopped, all requests answered");
  // A load that still runs may take minutes, and nothing of it is worth waiting for.
  if (!models->Settled()) _exit(kExitOk);
  return kExitOk;
}

int Main(int argc, char** argv) {
  TfsOptions tfs;
  const bool is_tfs = IsTfsProgram(argv[0]);
  const int exit_code =
      is_tfs ? ParseTfsCommandLine(argc, argv, tfs) : ParseCommandLine(argc, argv, tfs.server);
  if (exit_code >= 0) return exit_code;
  log::Init(is_tfs ? kTfsProgram : "snug-server", tfs.server.log_level, tfs.server.log_format);
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return Serve(tfs.server, is_tfs ? &tfs : nullptr);
}

}  // namespace
}  // namespace snug::server

int main(int argc, char** argv) {
  return snug::server::Main(argc, argv);
}
