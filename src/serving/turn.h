// Who may use an engine's instance: its own thread, or a thread that brings a quick request while that one
// idles.
#pragma once

#include <atomic>

namespace snug::serving {

class Turn {
 public:
  // The owner's: waits, and goes before anybody who only tries.
  void Take() {
    awaited_.store(true, std::memory_order_relaxed);
    while (taken_.exchange(true, std::memory_order_acquire)) taken_.wait(true, std::memory_order_relaxed);
    awaited_.store(false, std::memory_order_relaxed);
  }
  // Anybody's: false when it is taken or awaited.
  bool TryTake() {
    return !awaited_.load(std::memory_order_relaxed) && !taken_.load(std::memory_order_relaxed) &&
           !taken_.exchange(true, std::memory_order_acquire);
  }
  void Give() {
    taken_.store(false, std::memory_order_release);
    taken_.notify_one();
  }

 private:
  std::atomic<bool> taken_{false};
  std::atomic<bool> awaited_{false};
};

}  // namespace snug::serving
