#include "controller/controller.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "deploy/front_door.h"
#include "deploy/local_deployer.h"
#include "os/files.h"
#include "os/unique_fd.h"
#include "routing/ads_server.h"
#include "routing/bootstrap.h"

namespace snug::controller {
namespace {

using Json = nlohmann::json;

constexpr int kHttpThreads = 2;
constexpr Duration kHttpDrain = std::chrono::seconds(2);
constexpr Duration kFrontDoorStopMax = std::chrono::seconds(6);
constexpr Duration kAppliedWait = std::chrono::milliseconds(250);
constexpr Duration kIdle = std::chrono::milliseconds(500);
constexpr auto kStopPollPeriod = std::chrono::milliseconds(10);
constexpr size_t kTokenFileBytesMax = 1 << 20;

class AdsTraffic final : public Traffic {
 public:
  explicit AdsTraffic(routing::AdsServer& ads) : ads_(ads) {}
  Status Publish(const routing::Snapshot& snapshot) override { return ads_.Publish(snapshot); }

 private:
  routing::AdsServer& ads_;
};

class NoTraffic final : public Traffic {
 public:
  Status Publish(const routing::Snapshot&) override { return {}; }
};

bool IsLoopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

// A port that nobody listens on now. Somebody may take it before we do: then the front door fails to start
// and says so.
Result<uint16_t> FreePort(const std::string& address) {
  os::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  socklen_t size = sizeof name;
  if (::inet_pton(AF_INET, address.c_str(), &name.sin_addr) != 1) {
    return InvalidArgument("{}: expected an IPv4 address", address);
  }
  if (!fd.valid() || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    return ErrnoError(errno, "find a free port on " + address);
  }
  return ntohs(name.sin_port);
}

// Ports that the system chose once stay: an adopted Envoy comes back to the ADS port it knows, clients to the
// front door.
struct Ports {
  uint16_t ads = 0, front_door = 0;
};

Ports ReadPorts(const std::string& path) {
  auto text = os::ReadFile(path);
  Json json = text.ok() ? Json::parse(*text, nullptr, false) : Json();
  if (!json.is_object()) return {};
  auto port = [&](const char* key) -> uint16_t {
    auto it = json.find(key);
    bool whole = it != json.end() && it->is_number_unsigned() && it->get<uint64_t>() <= UINT16_MAX;
    return whole ? it->get<uint16_t>() : uint16_t{0};
  };
  return {port("ads"), port("front_door")};
}

Status WritePorts(const std::string& path, const Ports& ports) {
  return os::WriteFileAtomic(path, Json{{"ads", ports.ads}, {"front_door", ports.front_door}}.dump() + "\n");
}

Result<os::UniqueFd> LockState(const std::string& path) {
  os::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!fd.valid()) return ErrnoError(errno, path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return FailedPrecondition("another controller runs on this state ({} is locked): stop it first", path);
  }
  return fd;
}

class TheController final : public Controller {
 public:
  TheController(const ControllerOptions& options, deploy::Outside& outside)
      : options_(options), outside_(outside) {}
  ~TheController() override { Stop(false); }

  Status Open() {
    SNUG_RETURN_IF_ERROR(CheckOptions());
    SNUG_RETURN_IF_ERROR(MakeState());
    SNUG_ASSIGN_OR_RETURN(registry_,
                          registry::Registry::Open({.path = Path("registry.db"), .now = {}, .at_step = {}}));
    SNUG_RETURN_IF_ERROR(SweepStore());
    SNUG_RETURN_IF_ERROR(StartFrontDoor());
    StartDeployer();
    reconciler_ =
        std::make_unique<Reconciler>(*registry_, *deployer_, *traffic_, store_, store_mutex_, SystemClock(),
                                     ReconcilerOptions{options_.decide, options_.drain_delay});
    SNUG_RETURN_IF_ERROR(StartApi());
    if (ads_ != nullptr) applier_ = std::make_unique<deploy::Looper>([this] { return NoticeApplied(); });
    loop_ = std::make_unique<deploy::Looper>([this] { return Round(); });
    std::lock_guard lock(wake_mutex_);
    wake_loop_ = loop_.get();
    wake_loop_->Wake();
    return {};
  }

  uint16_t port() const override { return http_->port(); }
  std::string front_door() const override {
    return front_door_ == nullptr ? "" : fmt::format("{}:{}", options_.front_door_address, ports_.front_door);
  }

  void Stop(bool stop_children) override {
    if (std::exchange(stopped_, true)) return;
    if (http_ != nullptr) http_->Drain(kHttpDrain);
    {
      std::lock_guard lock(wake_mutex_);
      wake_loop_ = nullptr;
    }
    loop_.reset();
    applier_.reset();
    if (stop_children) StopChildren();
    http_.reset();
    api_.reset();
    front_door_loop_.reset();
    deployer_.reset();
    ads_.reset();
    ::unlink(Path("controller.json").c_str());
  }

 private:
  std::string Path(const std::string& name) const { return options_.state_dir + "/" + name; }

  Status CheckOptions() {
    if (!IsLoopback(options_.address) && options_.token_file.empty()) {
      return InvalidArgument("--address {} can be reached from other machines: give --token-file, too",
                             options_.address);
    }
    if (options_.token_file.empty()) return {};
    SNUG_ASSIGN_OR_RETURN(std::string text, os::ReadFile(options_.token_file, kTokenFileBytesMax));
    auto tokens = Tokens::Parse(text);
    if (!tokens.ok()) return tokens.status().Annotate(options_.token_file);
    tokens_ = std::move(*tokens);
    return {};
  }

  Status MakeState() {
    SNUG_RETURN_IF_ERROR(os::MakeDirs(options_.state_dir));
    std::error_code error;
    // Processes are known again by the paths in their arguments, so there must be one spelling.
    options_.state_dir = std::filesystem::canonical(options_.state_dir, error).string();
    if (error) return Internal("{}: {}", options_.state_dir, error.message());
    SNUG_ASSIGN_OR_RETURN(lock_, LockState(Path("lock")));
    for (const char* name : {"store", "servers", "run", "envoy", "cache", "uploads"}) {
      SNUG_RETURN_IF_ERROR(os::MakeDirs(Path(name)));
    }
    ::unlink(Path("controller.json").c_str());
    store_ = Store(Path("store"));
    return {};
  }

  Status SweepStore() {
    SNUG_ASSIGN_OR_RETURN(registry::Tables tables, registry_->Load());
    std::set<std::pair<std::string, int64_t>> known;
    for (const auto& row : tables.versions) known.insert({row.model, row.version});
    SNUG_RETURN_IF_ERROR(os::RemoveTree(Path("uploads")));
    SNUG_RETURN_IF_ERROR(os::MakeDirs(Path("uploads")));
    return store_.Sweep(known);
  }

  Status StartAds() {
    routing::AdsOptions ads;
    ads.port = ports_.ads;
    auto started = routing::AdsServer::Start(ads);
    if (!started.ok() && ads.port != 0) {
      log::Warning("the ADS port of last time is taken; the front door starts anew with another one",
                   {{"port", std::to_string(ads.port)}});
      ads.port = 0;
      started = routing::AdsServer::Start(ads);
    }
    SNUG_RETURN_IF_ERROR(started.status());
    ads_ = std::move(*started);
    ports_.ads = ads_->port();
    return {};
  }

  Status StartFrontDoor() {
    traffic_ = std::make_unique<NoTraffic>();
    if (options_.envoy_program.empty()) return {};
    ports_ = ReadPorts(Path("ports.json"));
    SNUG_RETURN_IF_ERROR(StartAds());
    traffic_ = std::make_unique<AdsTraffic>(*ads_);
    if (options_.front_door_port != 0) ports_.front_door = options_.front_door_port;
    if (ports_.front_door == 0) {
      SNUG_ASSIGN_OR_RETURN(ports_.front_door, FreePort(options_.front_door_address));
    }
    SNUG_RETURN_IF_ERROR(WritePorts(Path("ports.json"), ports_));
    routing::BootstrapOptions bootstrap;
    bootstrap.address = options_.front_door_address;
    bootstrap.port = ports_.front_door;
    bootstrap.ads_port = ports_.ads;
    SNUG_ASSIGN_OR_RETURN(std::string config, routing::EnvoyBootstrap(bootstrap));
    routing::EnvoyOptions envoy{options_.envoy_program, Path("envoy/bootstrap.yaml"), options_.plugins_dir,
                                Path("envoy/admin"), 1};
    auto command = routing::MakeEnvoyCommand(envoy);
    front_door_ = std::make_unique<deploy::FrontDoor>(
        outside_, deploy::FrontDoorOptions{options_.state_dir, command.argv, command.environment,
                                           envoy.config_file, config, envoy.admin_file});
    auto found = outside_.Processes();
    front_door_->Adopt(found.ok() ? *found : std::vector<deploy::FoundProcess>());
    front_door_loop_ = std::make_unique<deploy::Looper>([this] { return front_door_->Step(); });
    return {};
  }

  void StartDeployer() {
    deploy::ServerOptions servers;
    servers.state_dir = options_.state_dir;
    servers.program = options_.server_program;
    servers.plugins_dir = options_.plugins_dir;
    servers.threads = options_.threads;
    servers.drain_seconds = options_.drain_seconds;
    servers.cgroups = options_.cgroups;
    deployer_ = std::make_unique<deploy::LocalDeployer>(outside_, servers, true, [this] { Wake(); });
  }

  Status StartApi() {
    ApiOptions api;
    api.tokens = tokens_;
    api.upload_limits = options_.upload_limits;
    api.plugins_dir = options_.plugins_dir;
    api.status = [this] { return MyStatus(); };
    api.wake = [this] { Wake(); };
    api_ =
        std::make_unique<Api>(*registry_, *reconciler_, store_, store_mutex_, SystemClock(), std::move(api));
    net::HttpServerOptions http;
    http.address = options_.address;
    http.port = options_.port;
    http.threads = kHttpThreads;
    http.body_bytes_max = 1 << 20;
    http.upload_dir = Path("uploads");
    http.upload_bytes_max = options_.upload_bytes_max;
    http.upload = Api::IsUpload;
    http.failure = Api::ErrorAnswer;
    http.admit = [this](const net::Request& head) { return api_->Admit(head); };
    SNUG_ASSIGN_OR_RETURN(
        http_, net::HttpServer::Start(http, [this](net::Request&& request, net::Responder respond) {
          api_->Handle(std::move(request), std::move(respond));
        }));
    return {};
  }

  StatusView MyStatus() const {
    StatusView status;
    status.version = SNUG_VERSION;
    status.pid = ::getpid();
    status.state_dir = options_.state_dir;
    status.api = ApiUrl();
    status.front_door = front_door();
    if (front_door_ != nullptr) status.processes.push_back({"front-door", front_door_->Observe()});
    if (ads_ != nullptr && ads_->stats().refusals > 0) {
      status.warnings.push_back("the front door refused a configuration: " + ads_->stats().last_refusal);
    }
    return status;
  }

  std::string ApiUrl() const {
    return fmt::format("http://{}:{}", options_.address, http_ == nullptr ? options_.port : http_->port());
  }

  void Wake() {
    std::lock_guard lock(wake_mutex_);
    if (wake_loop_ != nullptr) wake_loop_->Wake();
  }

  Duration Round() {
    auto wait = reconciler_->Pass();
    if (ads_ == nullptr) {
      reconciler_->SetApplied(reconciler_->published());
    } else {
      applier_->Wake();
    }
    api_->CheckWaiters();
    if (!announced_ && reconciler_->ready()) Announce();
    return wait.ok() ? *wait : kIdle;
  }

  // Publish returns before the front door has taken the change; who waits for a model wants it there.
  Duration NoticeApplied() {
    uint64_t serial = reconciler_->published();
    if (serial == applied_) return kIdle;
    if (!ads_->WaitApplied(kAppliedWait)) return Duration{0};
    applied_ = serial;
    reconciler_->SetApplied(serial);
    api_->CheckWaiters();
    return Duration{0};
  }

  void Announce() {
    Json json{{"pid", ::getpid()},
              {"api", ApiUrl()},
              {"front_door", front_door()},
              {"state_dir", options_.state_dir}};
    Status status = os::WriteFileAtomic(Path("controller.json"), json.dump() + "\n");
    if (!status.ok()) log::Warning("controller.json not written", {{"why", status.text()}});
    announced_ = status.ok();
    log::Info("controller ready", {{"api", ApiUrl()}, {"front_door", front_door()}});
  }

  void StopChildren() {
    if (front_door_ != nullptr) {
      front_door_->Stop();
      front_door_loop_->Wake();
      TimePoint deadline = SystemClock().Now() + kFrontDoorStopMax;
      while (!front_door_->gone() && SystemClock().Now() < deadline)
        std::this_thread::sleep_for(kStopPollPeriod);
    }
    if (!deployer_->StopAll(std::chrono::seconds(options_.drain_seconds + 5))) {
      log::Warning("some servers still run");
    }
  }

  ControllerOptions options_;
  deploy::Outside& outside_;
  Tokens tokens_;
  os::UniqueFd lock_;
  Ports ports_;
  Store store_{""};
  std::mutex store_mutex_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<routing::AdsServer> ads_;
  std::unique_ptr<Traffic> traffic_;
  std::unique_ptr<deploy::FrontDoor> front_door_;
  std::unique_ptr<deploy::Looper> front_door_loop_;
  std::mutex wake_mutex_;
  deploy::Looper* wake_loop_ = nullptr;
  std::unique_ptr<deploy::LocalDeployer> deployer_;
  std::unique_ptr<Reconciler> reconciler_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<net::HttpServer> http_;
  std::unique_ptr<deploy::Looper> applier_;
  uint64_t applied_ = 0;    // of the applier's thread
  bool announced_ = false;  // of the loop's thread
  std::unique_ptr<deploy::Looper> loop_;
  bool stopped_ = false;
};

}  // namespace

double DefaultGroupCores(double machine_cores) {
  return std::clamp(machine_cores / 2, std::min(machine_cores, 2.0), 8.0);
}

Result<std::unique_ptr<Controller>> Controller::Start(const ControllerOptions& options,
                                                      deploy::Outside& outside) {
  auto controller = std::make_unique<TheController>(options, outside);
  SNUG_RETURN_IF_ERROR(controller->Open());
  return std::unique_ptr<Controller>(std::move(controller));
}

}  // namespace snug::controller
