#include "serving/sweeper.h"

namespace snug::serving {

void Sweeper::Wake() {
  if (awake_.exchange(true)) return;
  std::lock_guard lock(mutex_);  // so that the thread does not miss it between its check and its sleep
  changed_.notify_one();
}

void Sweeper::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopped_ || awake_; });
    changed_.wait_for(lock, kSweepInterval, [&] { return stopped_; });
    if (stopped_) return;
    lock.unlock();
    awake_ = false;  // before the sweep: a request that comes during it wakes us again
    if (sweep_()) awake_ = true;
    lock.lock();
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
