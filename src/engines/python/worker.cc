#include "engines/python/worker.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "engine/channel.h"
#include "engines/kit/kit.h"
#include "engines/python/spawner.h"

namespace snug::python {
namespace {

constexpr int kChannelFd = 3;
constexpr int kLogFd = 4;
constexpr int kEndMillisecondsMax = 2000;  // for a worker to end by itself once its channel is closed

std::map<std::string, std::string> Environment(int threads) {
  const std::string count = std::to_string(threads);
  std::map<std::string, std::string> variables{{"PYTHONUNBUFFERED", "1"}, {"PYTHONDONTWRITEBYTECODE", "1"}};
  for (const char* pool :
       {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"}) {
    variables[pool] = count;
  }
  return variables;
}

template <typename T>
T ValueOrThrow(Result<T> result, const char* step) {
  if (result.ok()) return std::move(result).value();
  throw kit::Failure(static_cast<snug_code>(result.status().code()),
                     fmt::format("{}: {}", step, result.status().text()));
}

bool WaitReadable(int fd, int milliseconds) {
  pollfd waited{fd, POLLIN, 0};
  return ::poll(&waited, 1, milliseconds) > 0;
}

}  // namespace

Worker::Worker(const WorkerOptions& options)
    : options_(options), started_(SystemClock().Now()), buffer_(kMessageBytesMax) {
  auto channel = ValueOrThrow(engine::InstancePair(), "channel to a Python worker");
  auto log = ValueOrThrow(engine::ControlPair(), "log of a Python worker");
  os::SpawnOptions spawn;
  spawn.argv = {options.interpreter, options.script, options.label};
  spawn.environment = Environment(options.threads);
  spawn.pass_fds = {{channel.second.get(), kChannelFd}, {log.second.get(), kLogFd}};
  process_ = ValueOrThrow(SpawnForLife(spawn), "start of a Python worker");
  pidfd_.Reset(static_cast<int>(::syscall(SYS_pidfd_open, process_.pid, 0)));
  channel_ = std::move(channel.first);
  log_ = std::move(log.first);
  log_reader_ = std::thread([this] { ReadLog(); });
}

Worker::~Worker() {
  channel_.Reset();
  if (!reaped_) {
    if (!WaitReadable(pidfd_.get(), kEndMillisecondsMax)) ::kill(process_.pid, SIGKILL);
    ::waitpid(process_.pid, nullptr, 0);
  }
  ::shutdown(log_.get(), SHUT_RDWR);  // a child of the model's may still hold the other end
  log_reader_.join();
}

void Worker::ReadLog() {
  std::string line;
  char chunk[4096];
  auto write = [&] {
    if (!line.empty()) options_.log(1, fmt::format("{}: {}", options_.label, line).c_str());
    line.clear();
  };
  for (ssize_t n = 0; (n = ::read(log_.get(), chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR);) {
    for (ssize_t i = 0; i < n; ++i) {
      if (chunk[i] != '\n') line += chunk[i];
      if (chunk[i] == '\n' || line.size() >= kLogLineCharsMax) write();
    }
  }
  write();
}

Status Worker::Died() {
  ::kill(process_.pid, SIGKILL);  // changes nothing for one that is ending already
  int how = 0;
  ::waitpid(process_.pid, &how, 0);
  reaped_ = true;
  if (WIFSIGNALED(how))
    return Unavailable("the Python worker of {} died (signal {})", options_.label, WTERMSIG(how));
  return Unavailable("the Python worker of {} ended (exit status {})", options_.label, WEXITSTATUS(how));
}

Status Worker::AwaitReadable(Duration limit) {
  const TimePoint until = SystemClock().Now() + limit;
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - SystemClock().Now()).count();
    pollfd waited[2] = {{channel_.get(), POLLIN, 0}, {pidfd_.get(), POLLIN, 0}};
    int ready = ::poll(waited, 2, static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30)));
    if (waited[0].revents & POLLIN) return {};
    if (ready > 0) return Died();
    if (ready == 0) return Error(Code::kDeadlineExceeded, "no answer");
    if (errno != EINTR) return ErrnoError(errno, "wait for a Python worker");
  }
}

Result<Answer> Worker::Ask(const nlohmann::json& message, int fd, Duration limit) {
  const std::string text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > kMessageBytesMax) return InvalidArgument("a description of {} bytes", text.size());
  const size_t fd_count = fd >= 0 ? 1 : 0;
  Status sent = engine::SendFrame(channel_.get(), std::as_bytes(std::span(text)), std::span(&fd, fd_count));
  if (!sent.ok()) return sent.code() == Code::kUnavailable ? Died() : sent;
  Status readable = AwaitReadable(limit);
  if (readable.code() == Code::kDeadlineExceeded)
    ::kill(process_.pid, SIGKILL);  // it would not hear of its end
  SNUG_RETURN_IF_ERROR(readable);
  auto received = engine::ReceiveFrame(channel_.get(), buffer_);
  if (!received.ok()) return received.status().code() == Code::kUnavailable ? Died() : received.status();
  Answer answer;
  answer.body =
      nlohmann::json::parse(reinterpret_cast<const char*>(buffer_.data()),
                            reinterpret_cast<const char*>(buffer_.data()) + received->bytes, nullptr, false);
  if (!answer.body.is_object())
    return Internal("the Python worker of {} sent no JSON object", options_.label);
  if (!received->fds.empty()) answer.region = std::move(received->fds[0]);
  return answer;
}

}  // namespace snug::python
