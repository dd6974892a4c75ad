#include "serving/low_priority.h"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <mutex>
#include <set>
#include <string>

#include "os/files.h"

namespace snug::serving {
namespace {

int Niceness(id_t thread) {
  return getpriority(PRIO_PROCESS, thread);
}
bool SetNiceness(id_t thread, int niceness) {
  return setpriority(PRIO_PROCESS, thread, niceness) == 0;
}
id_t Self() {
  return static_cast<id_t>(gettid());
}

// Threads that are nice on purpose just now.
struct Loaders {
  std::mutex mutex;
  std::set<id_t> threads;
};
Loaders& TheLoaders() {
  static Loaders loaders;
  return loaders;
}

bool IsLoader(id_t thread) {
  std::lock_guard lock(TheLoaders().mutex);
  return TheLoaders().threads.count(thread) > 0;
}

void RestoreThreads(const std::string& task_dir, int usual) {
  auto names = os::ListDir(task_dir);
  if (!names.ok()) return;  // the process is gone
  for (const std::string& name : *names) {
    id_t thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    if (thread != 0 && !IsLoader(thread) && Niceness(thread) == usual + kLoadNiceness)
      SetNiceness(thread, usual);
  }
}

int UsualNiceness() {
  static const int usual = Niceness(static_cast<id_t>(getpid()));
  return usual;
}

}  // namespace

bool CanLowerPriority() {
  static const bool can = [] {
    const int before = Niceness(Self());
    return before + kLoadNiceness < 20 && SetNiceness(Self(), before + kLoadNiceness - 1) &&
           SetNiceness(Self(), before);
  }();
  return can;
}

LowPriority::LowPriority() : usual_(UsualNiceness()) {
  if (!CanLowerPriority()) return;
  {
    std::lock_guard lock(TheLoaders().mutex);
    TheLoaders().threads.insert(Self());
  }
  lowered_ = SetNiceness(Self(), usual_ + kLoadNiceness);
}

LowPriority::~LowPriority() {
  if (!lowered_) return;
  SetNiceness(Self(), usual_);
  std::lock_guard lock(TheLoaders().mutex);
  TheLoaders().threads.erase(Self());
}

void LowPriority::RestoreOthers(int64_t process) {
  if (!CanLowerPriority()) return;
  RestoreThreads("/proc/self/task", UsualNiceness());
  if (process != 0) RestoreThreads("/proc/" + std::to_string(process) + "/task", UsualNiceness());
}

}  // namespace snug::serving
