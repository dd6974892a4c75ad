#include "engine/engine_child.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "engine/channel.h"
#include "engine/engine_process.h"

namespace snug::engine {
namespace {

std::string EndText(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return fmt::format("ended (exit status {})", info.si_status);
  return fmt::format("died (signal {})", info.si_status);
}

}  // namespace

Result<std::shared_ptr<EngineChild>> EngineChild::Start(const std::string& program,
                                                        const std::string& label) {
  SNUG_ASSIGN_OR_RETURN(auto sockets, ControlPair());
  os::SpawnOptions options;
  options.argv = {program, label};
  options.pass_fds = {{sockets.second.get(), kControlFd}};
  options.die_with_parent = true;
  SNUG_ASSIGN_OR_RETURN(os::ProcessId process, os::Spawn(options));
  return std::shared_ptr<EngineChild>(new EngineChild(process, std::move(sockets.first)));
}

EngineChild::~EngineChild() {
  Kill();
  if (!AwaitEnd(Duration(0))) WaitForEnd();
}

Result<std::string> EngineChild::Ask(const std::string& json, std::span<const int> fds, int seconds_max) {
  std::lock_guard lock(control_mutex_);
  SetReceiveTimeout(control_.get(), seconds_max);
  SNUG_RETURN_IF_ERROR(SendControl(control_.get(), json, fds));
  auto answer = ReceiveControl(control_.get());
  if (answer.ok()) return std::move(answer->json);
  // A late answer would be taken for the next command's: the channel is of no more use.
  if (answer.status().code() != Code::kUnavailable) Kill();
  return answer.status();
}

Result<ModelInfo> EngineChild::Load(const LoadCommand& command) {
  SNUG_ASSIGN_OR_RETURN(std::string answer, Ask(EncodeLoad(command), {}, kLoadSecondsMax));
  return DecodeInfo(answer);
}

Result<os::UniqueFd> EngineChild::CreateInstance(const std::string& signature) {
  SNUG_ASSIGN_OR_RETURN(auto sockets, InstancePair());
  const int theirs = sockets.second.get();
  SNUG_ASSIGN_OR_RETURN(std::string answer,
                        Ask(EncodeCreateInstance(signature), {&theirs, 1}, kCreateInstanceSecondsMax));
  SNUG_RETURN_IF_ERROR(DecodeStatus(answer));
  return std::move(sockets.first);
}

void EngineChild::Trim(bool idle) {
  std::unique_lock lock(control_mutex_, std::try_to_lock);  // not while a command waits for its answer
  if (lock.owns_lock()) (void)SendControl(control_.get(), EncodeTrim(idle));
}

void EngineChild::WaitForEnd() {
  siginfo_t info{};
  // WNOWAIT: the pid stays ours until end_ is set, so that Kill never hits a stranger.
  while (::waitid(P_PID, static_cast<id_t>(process_.pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  std::lock_guard lock(mutex_);
  end_ = EndText(info);
  ::waitpid(process_.pid, nullptr, WNOHANG);
  ended_.notify_all();
}

std::optional<std::string> EngineChild::AwaitEnd(Duration limit) {
  std::unique_lock lock(mutex_);
  ended_.wait_for(lock, limit, [this] { return end_.has_value(); });
  return end_;
}

void EngineChild::RequestEnd() {
  ::shutdown(control_.get(), SHUT_RDWR);
}

void EngineChild::Kill() {
  std::lock_guard lock(mutex_);
  if (!end_) ::kill(process_.pid, SIGKILL);
}

}  // namespace snug::engine
