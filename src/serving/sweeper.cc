#include "serving/sweeper.h"

#include <algorithm>

namespace snug::serving {

Duration UntilSweep(TimePoint due, TimePoint now) {
  if (due <= now) return kSweepInterval;
  return std::clamp<Duration>(due - now, kSweepInterval, kCancelInterval);
}

void Sweeper::Wake(TimePoint due) {
  if (planned_.load(std::memory_order_relaxed) <= Steady::now() + kSweepInterval) return;
  Plan(due);
}

void Sweeper::Plan(TimePoint due) {
  const Steady::time_point at = Steady::now() + UntilSweep(due, clock_.Now());
  if (planned_.load(std::memory_order_relaxed) <= at) return;
  std::lock_guard lock(mutex_);
  if (planned_.load(std::memory_order_relaxed) <= at) return;
  planned_.store(at, std::memory_order_relaxed);
  changed_.notify_one();
}

void Sweeper::Run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    const Steady::time_point planned = planned_.load(std::memory_order_relaxed);
    if (planned == Steady::time_point::max()) {
      changed_.wait(lock);
    } else if (Steady::now() < planned) {
      changed_.wait_until(lock, planned);
    } else {
      planned_.store(Steady::time_point::max(),
                     std::memory_order_relaxed);  // a request that comes plans anew
      lock.unlock();
      const TimePoint due = sweep_();
      if (due != TimePoint::max()) Plan(due);
      lock.lock();
    }
  }
}

void Sweeper::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace snug::serving
