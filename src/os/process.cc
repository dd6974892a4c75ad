#include "os/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "os/files.h"
#include "os/unique_fd.h"

extern char** environ;

namespace snug::os {
namespace {

// What the child tells us through the pipe when it cannot become the program.
struct ChildError {
  int error_number = 0;
  char step[24] = {};
};

[[noreturn]] void ChildFails(int pipe_fd, const char* step) {
  ChildError error;
  error.error_number = errno;
  std::strncpy(error.step, step, sizeof error.step - 1);
  if (::write(pipe_fd, &error, sizeof error) < 0) _exit(126);
  _exit(127);
}

// All that the child needs, prepared before fork: between fork and exec only async-signal-safe calls are
// allowed.
struct Prepared {
  std::vector<char*> argv;
  std::vector<std::string> environment_text;
  std::vector<char*> environment;
  std::string cgroup_procs;
};

Prepared Prepare(const SpawnOptions& options) {
  Prepared p;
  for (const auto& arg : options.argv) p.argv.push_back(const_cast<char*>(arg.c_str()));
  p.argv.push_back(nullptr);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string text = *entry;
    if (!options.environment.contains(text.substr(0, text.find('='))))
      p.environment_text.push_back(std::move(text));
  }
  for (const auto& [key, value] : options.environment)
    p.environment_text.push_back(fmt::format("{}={}", key, value));
  for (auto& text : p.environment_text) p.environment.push_back(text.data());
  p.environment.push_back(nullptr);
  if (!options.cgroup_dir.empty()) p.cgroup_procs = options.cgroup_dir + "/cgroup.procs";
  return p;
}

void RedirectStreams(const SpawnOptions& options, int pipe_fd) {
  int null_fd = ::open("/dev/null", O_RDONLY);
  if (null_fd < 0 || ::dup2(null_fd, 0) < 0) ChildFails(pipe_fd, "open /dev/null");
  if (options.log_file.empty()) return;
  int log_fd = ::open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640);
  if (log_fd < 0) ChildFails(pipe_fd, "open log file");
  if (::dup2(log_fd, 1) < 0 || ::dup2(log_fd, 2) < 0) ChildFails(pipe_fd, "redirect to log");
  if (log_fd > 2) ::close(log_fd);
}

void CloseAllBut(const SpawnOptions& options, int pipe_fd) {
  int limit = 3;
  for (const auto& [ours, theirs] : options.pass_fds) limit = std::max(limit, theirs + 1);
  for (int fd = 3; fd < limit; ++fd) {
    bool passed = std::any_of(options.pass_fds.begin(), options.pass_fds.end(),
                              [fd](const auto& pair) { return pair.second == fd; });
    if (!passed && fd != pipe_fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  // The rest closes at exec: CLOSE_RANGE_CLOEXEC keeps pipe_fd usable until then.
  ::syscall(SYS_close_range, static_cast<unsigned>(limit), ~0u, 1u << 2);
}

// Moves passed descriptors to their numbers; first out of the way, so that no source is overwritten.
void MoveDescriptors(const SpawnOptions& options, int* pipe_fd) {
  constexpr int kOutOfTheWay = 512;
  int moved_pipe = ::fcntl(*pipe_fd, F_DUPFD_CLOEXEC, kOutOfTheWay);
  if (moved_pipe < 0) ChildFails(*pipe_fd, "dup pipe");
  *pipe_fd = moved_pipe;
  std::array<int, 16> sources{};
  size_t count = std::min(options.pass_fds.size(), sources.size());
  for (size_t i = 0; i < count; ++i) {
    sources[i] = ::fcntl(options.pass_fds[i].first, F_DUPFD_CLOEXEC, kOutOfTheWay);
    if (sources[i] < 0) ChildFails(*pipe_fd, "dup descriptor");
  }
  for (size_t i = 0; i < count; ++i) {
    if (::dup2(sources[i], options.pass_fds[i].second) < 0) ChildFails(*pipe_fd, "pass descriptor");
  }
}

[[noreturn]] void RunChild(const SpawnOptions& options, const Prepared& prepared, int pipe_fd, pid_t parent) {
  ::setsid();
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (options.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) _exit(126);  // it died before we asked
  }
  if (!prepared.cgroup_procs.empty()) {
    int fd = ::open(prepared.cgroup_procs.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ::write(fd, "0", 1) != 1) ChildFails(pipe_fd, "join cgroup");
    ::close(fd);
  }
  if (!options.working_dir.empty() && ::chdir(options.working_dir.c_str()) != 0) ChildFails(pipe_fd, "chdir");
  MoveDescriptors(options, &pipe_fd);
  RedirectStreams(options, pipe_fd);
  CloseAllBut(options, pipe_fd);
  ::execve(prepared.argv[0], prepared.argv.data(), prepared.environment.data());
  ChildFails(pipe_fd, "execute");
}

// Fields of /proc/PID/stat after the name, which may hold anything, parentheses too.
Result<std::vector<std::string>> StatFields(pid_t pid) {
  SNUG_ASSIGN_OR_RETURN(std::string text, ReadFile(fmt::format("/proc/{}/stat", pid)));
  size_t end = text.rfind(')');
  if (end == std::string::npos) return Internal("/proc/{}/stat: unexpected content", pid);
  std::istringstream stream(text.substr(end + 1));
  std::vector<std::string> fields{"pid", "comm"};
  for (std::string field; stream >> field;) fields.push_back(field);
  if (fields.size() < 24) return Internal("/proc/{}/stat: unexpected content", pid);
  return fields;
}

int PidfdOpen(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0u));
}

void Reap(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, WNOHANG);  // ECHILD when it was not ours: its own parent reaps it
}

}  // namespace

Result<ProcessId> Spawn(const SpawnOptions& options) {
  if (options.argv.empty()) return InvalidArgument("spawn: no program given");
  if (options.pass_fds.size() > 16) return InvalidArgument("spawn: at most 16 descriptors can be passed");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  Prepared prepared = Prepare(options);
  pid_t parent = ::getpid();
  pid_t pid = ::fork();
  if (pid < 0) return ErrnoError(errno, "fork");
  if (pid == 0) RunChild(options, prepared, write_end.get(), parent);
  write_end.Reset();
  ChildError error;
  ssize_t n = 0;
  do {
    n = ::read(read_end.get(), &error, sizeof error);
  } while (n < 0 && errno == EINTR);
  if (n == static_cast<ssize_t>(sizeof error)) {
    ::waitpid(pid, nullptr, 0);
    return ErrnoError(error.error_number, fmt::format("{} {}", error.step, options.argv[0]));
  }
  return Identify(pid);
}

Result<ProcessId> Identify(pid_t pid) {
  SNUG_ASSIGN_OR_RETURN(auto fields, StatFields(pid));
  return ProcessId{pid, std::strtoull(fields[21].c_str(), nullptr, 10)};
}

bool IsAlive(const ProcessId& process) {
  auto fields = StatFields(process.pid);
  if (!fields.ok() || std::strtoull((*fields)[21].c_str(), nullptr, 10) != process.start_ticks) return false;
  if ((*fields)[2] != "Z" && (*fields)[2] != "X") return true;
  Reap(process.pid);
  return false;
}

Status Signal(const ProcessId& process, int signal) {
  UniqueFd pidfd(PidfdOpen(process.pid));
  // The descriptor pins the pid: if it is still our process now, the signal reaches our process.
  if (!pidfd.valid() || !IsAlive(process)) return {};
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0u) != 0 && errno != ESRCH) {
    return ErrnoError(errno, fmt::format("signal {} to process {}", signal, process.pid));
  }
  return {};
}

Status WaitForExit(const ProcessId& process, Duration limit) {
  UniqueFd pidfd(PidfdOpen(process.pid));
  if (!pidfd.valid() || !IsAlive(process)) return {};
  auto deadline = SystemClock().Now() + limit;
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SystemClock().Now()).count();
    pollfd waiting{pidfd.get(), POLLIN, 0};
    int n = ::poll(&waiting, 1, static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX)));
    if (n > 0) {
      Reap(process.pid);
      return {};
    }
    if (n < 0 && errno != EINTR) return ErrnoError(errno, "poll");
    if (left <= 0) {
      return Error(Code::kDeadlineExceeded, "process {} still runs after {:.1f} s", process.pid,
                   Seconds(limit));
    }
  }
}

Status Stop(const ProcessId& process, Duration grace) {
  SNUG_RETURN_IF_ERROR(Signal(process, SIGTERM));
  if (WaitForExit(process, grace).ok()) return {};
  SNUG_RETURN_IF_ERROR(Signal(process, SIGKILL));
  return WaitForExit(process, std::chrono::seconds(10));
}

namespace {

// A line of /proc/PID/status such as "VmHWM:"; 0: unknown.
uint64_t StatusBytes(pid_t pid, std::string_view line) {
  auto status = ReadFile(fmt::format("/proc/{}/status", pid));
  const size_t at = status.ok() ? status->find(line) : std::string::npos;
  return at == std::string::npos ? 0 : std::strtoull(status->c_str() + at + line.size(), nullptr, 10) * 1024;
}

}  // namespace

Result<ProcessUsage> Usage(const ProcessId& process) {
  SNUG_ASSIGN_OR_RETURN(auto fields, StatFields(process.pid));
  auto number = [&fields](size_t i) { return std::strtoull(fields[i].c_str(), nullptr, 10); };
  if (number(21) != process.start_ticks) return NotFound("process {} has ended", process.pid);
  ProcessUsage usage;
  usage.cpu_seconds =
      static_cast<double>(number(13) + number(14)) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  usage.threads = static_cast<int>(number(19));
  usage.memory_bytes = number(23) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  usage.memory_peak_bytes = std::max(StatusBytes(process.pid, "VmHWM:"), usage.memory_bytes);
  return usage;
}

uint64_t PrivateBytes(pid_t pid) {
  return StatusBytes(pid, "RssAnon:");
}

std::string SelfPath() {
  char path[PATH_MAX];
  ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  return n > 0 ? std::string(path, static_cast<size_t>(n)) : std::string();
}

}  // namespace snug::os
