// Loading at low priority, so that the models already served do not feel it.
//
// Low priority is SCHED_BATCH, niceness, and a long slice. Threads and processes that an engine starts while
// it loads inherit it for good, and an unprivileged process cannot take the niceness back; so it is lowered
// only where it can be raised again, and raised afterwards for all that was started meanwhile.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace snug::serving {

constexpr int kLoadNiceness = 10;

// Whether this process may raise a thread's priority again (CAP_SYS_NICE or RLIMIT_NICE). Cheap after the
// first call.
bool CanLowerPriority();

// Lowers the calling thread's priority for its lifetime, where CanLowerPriority().
class LowPriority {
 public:
  LowPriority();
  ~LowPriority();
  LowPriority(const LowPriority&) = delete;
  LowPriority& operator=(const LowPriority&) = delete;

  // Gives the usual priority to all threads of this process (but threads that are in a LowPriority of their
  // own) and, when not 0, of `process`, that inherited the lowered one.
  static void RestoreOthers(int64_t process);

 private:
  const bool lowered_;
};

// The usual priority again for a thread that is in a LowPriority, for this one's lifetime: what somebody
// waits for.
class UsualPriority {
 public:
  UsualPriority();
  ~UsualPriority();
  UsualPriority(const UsualPriority&) = delete;
  UsualPriority& operator=(const UsualPriority&) = delete;

 private:
  const bool raised_;
};

}  // namespace snug::serving
