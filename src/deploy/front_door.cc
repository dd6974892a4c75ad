#include "deploy/front_door.h"

#include <functional>

namespace snug::deploy {
namespace {

constexpr Duration kProbeTimeoutMax = std::chrono::seconds(2);
constexpr Duration kProbeEvery = std::chrono::seconds(1);
constexpr Duration kStepStarting = std::chrono::milliseconds(20);
constexpr Duration kStepIdle = std::chrono::milliseconds(100);
constexpr Duration kHungMax = std::chrono::seconds(30);
constexpr size_t kAdminTextMax = 64;

// Only tells configurations apart; nobody chooses them against us.
std::string Fingerprint(const FrontDoorOptions& options) {
  std::string all = options.config;
  for (const std::string& arg : options.argv) all.append(1, '\0').append(arg);
  return fmt::format("{:016x}", std::hash<std::string>{}(all));
}

}  // namespace

FrontDoor::FrontDoor(Outside& outside, FrontDoorOptions options)
    : outside_(outside),
      options_(std::move(options)),
      keeper_(outside, "front-door", options_.state_dir + "/run/front-door.json") {}

std::string FrontDoor::log_file() const {
  return options_.state_dir + "/envoy/envoy.log";
}

void FrontDoor::Adopt(std::span<const FoundProcess> found) {
  keeper_.Adopt("--config-path", options_.config_file, found);
}

void FrontDoor::Stop() {
  std::lock_guard lock(mutex_);
  stop_ = true;
}

Duration FrontDoor::Step() {
  bool stop = false;
  {
    std::lock_guard lock(mutex_);
    stop = stop_;
  }
  return stop ? Halt() : Run();
}

Duration FrontDoor::Run() {
  Status status = outside_.MakeDirs(options_.state_dir + "/envoy");
  // Also while a process of another configuration still runs: ours is started in the step that notices its
  // end.
  if ((!configured_ || !keeper_.process()) && status.ok()) {
    status = outside_.WriteFile(options_.config_file, options_.config);
    configured_ = status.ok();
  }
  if (!status.ok()) {
    Publish(ProcessState::kBackoff, status.text());
    return kProbeEvery;
  }
  Command command;
  command.spawn.argv = options_.argv;
  command.spawn.environment = options_.environment;
  command.spawn.log_file = log_file();
  command.fingerprint = Fingerprint(options_);
  command.stale_files = {options_.admin_file};
  keeper_.KeepRunning(command);
  TimePoint now = outside_.Now();
  if (keeper_.process() != probed_) {
    probed_ = keeper_.process();
    admin_.clear();
    ready_ = false;
    last_good_ = now;
    last_probe_ = {};
  }
  if (!keeper_.process()) {
    Publish(ProcessState::kBackoff, keeper_.reason());
    return kStepIdle;
  }
  if (!ready_ || now - last_probe_ >= kProbeEvery) {
    last_probe_ = now;
    ready_ = IsLive();
    if (ready_) last_good_ = now;
    if (ready_) outside_.LimitLog(log_file());
  }
  if (now - last_good_ > kHungMax) keeper_.Kill("the front door has not answered for too long; see its log");
  if (ready_) keeper_.Healthy();
  Publish(ready_ ? ProcessState::kReady : ProcessState::kStarting,
          ready_               ? ""
          : keeper_.stopping() ? "a front door of another configuration is being replaced"
                               : "the front door is not ready yet");
  return ready_ ? kStepIdle : kStepStarting;
}

// Closes the listener first, so that requests under way end.
Duration FrontDoor::Halt() {
  TimePoint now = outside_.Now();
  if (!draining_since_) {
    draining_since_ = now;
    std::string body;
    if (keeper_.process() && FindAdmin()) Ask("POST", "/drain_listeners?graceful&skip_exit", &body);
  }
  bool drained = !keeper_.process() || now - *draining_since_ >= kFrontDoorDrain;
  bool stopped = drained && keeper_.KeepStopped(kFrontDoorGrace);
  Publish(stopped ? ProcessState::kStopped : ProcessState::kStopping, "");
  std::lock_guard lock(mutex_);
  gone_ = stopped;
  return kStepStarting;
}

// A process that is being replaced answers for its own configuration, not for ours. Envoy says LIVE when its
// listener is open.
bool FrontDoor::IsLive() {
  std::string body;
  return !keeper_.stopping() && FindAdmin() && Ask("GET", "/ready", &body) && body.starts_with("LIVE");
}

bool FrontDoor::FindAdmin() {
  if (!admin_.empty()) return true;
  auto text = outside_.ReadFile(options_.admin_file);
  if (!text.ok() || text->size() > kAdminTextMax || !text->starts_with("127.0.0.1:")) return false;
  admin_ = *text;
  return true;
}

bool FrontDoor::Ask(const char* method, const char* path, std::string* body) {
  os::HttpRequest request;
  request.method = method;
  request.url = fmt::format("http://{}{}", admin_, path);
  request.timeout = kProbeTimeoutMax;
  auto response = outside_.Http(request);
  if (!response.ok() || response->status != 200) return false;
  *body = std::move(response->body);
  return true;
}

void FrontDoor::Publish(ProcessState state, std::string reason) {
  std::lock_guard lock(mutex_);
  observed_ = {state, std::move(reason), keeper_.process() ? keeper_.process()->pid : 0, keeper_.restarts()};
}

ObservedProcess FrontDoor::Observe() const {
  std::lock_guard lock(mutex_);
  return observed_;
}

bool FrontDoor::gone() const {
  std::lock_guard lock(mutex_);
  return gone_;
}

}  // namespace snug::deploy
