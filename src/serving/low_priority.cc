#include "serving/low_priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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
// The longest that the kernel takes. A thread that wakes and has a shorter slice, as all others have, takes
// the CPU at once (PREEMPT_SHORT, Linux 6.12); with equal slices it waits for up to a tick, niceness or not.
// Kernels before 6.12 take no notice.
constexpr uint64_t kLoadSliceNanoseconds = 100'000'000;

// sched_setattr(2), which glibc has no function for; <linux/sched/types.h> and <sched.h> exclude each other.
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t niceness = 0;
  uint32_t priority = 0;
  uint64_t slice_ns = 0;  // 0: the kernel's usual one
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};
bool Schedule(id_t thread, const SchedulingAttributes& attributes) {
  return syscall(SYS_sched_setattr, thread, &attributes, 0) == 0;
}
// Where the kernel refuses the rest, the niceness alone.
bool ScheduleAsLoader(id_t thread, int niceness) {
  return Schedule(thread, {.policy = SCHED_BATCH, .niceness = niceness, .slice_ns = kLoadSliceNanoseconds}) ||
         SetNiceness(thread, niceness);
}
bool ScheduleAsUsual(id_t thread, int niceness) {
  return Schedule(thread, {.niceness = niceness}) || SetNiceness(thread, niceness);
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
      ScheduleAsUsual(thread, usual);
  }
}

int UsualNiceness() {
  static const int usual = Niceness(static_cast<id_t>(getpid()));
  return usual;
}

bool BecomeLoader() {
  {
    std::lock_guard lock(TheLoaders().mutex);
    if (!TheLoaders().threads.insert(Self()).second) return false;
  }
  if (ScheduleAsLoader(Self(), UsualNiceness() + kLoadNiceness)) return true;
  std::lock_guard lock(TheLoaders().mutex);
  TheLoaders().threads.erase(Self());
  return false;
}

void BeLoaderNoMore() {
  ScheduleAsUsual(Self(), UsualNiceness());
  std::lock_guard lock(TheLoaders().mutex);
  TheLoaders().threads.erase(Self());
}

}  // namespace

bool CanLowerPriority() {
  static const bool can = [] {
    const int before = Niceness(Self());
    // Otherwise somebody has decided about this process.
    if (sched_getscheduler(0) != SCHED_OTHER) return false;
    return before + kLoadNiceness < 20 && SetNiceness(Self(), before + kLoadNiceness - 1) &&
           SetNiceness(Self(), before);
  }();
  return can;
}

LowPriority::LowPriority() : lowered_(CanLowerPriority() && BecomeLoader()) {}

LowPriority::~LowPriority() {
  if (lowered_) BeLoaderNoMore();
}

UsualPriority::UsualPriority() : raised_(IsLoader(Self())) {
  if (raised_) BeLoaderNoMore();
}

UsualPriority::~UsualPriority() {
  if (raised_) BecomeLoader();
}

void LowPriority::RestoreOthers(int64_t process) {
  if (!CanLowerPriority()) return;
  RestoreThreads("/proc/self/task", UsualNiceness());
  if (process != 0) RestoreThreads("/proc/" + std::to_string(process) + "/task", UsualNiceness());
}

}  // namespace snug::serving
