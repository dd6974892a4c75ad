// A thread that calls a step, waits as long as the step said or until woken, and calls it again.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/clock.h"

namespace snug::deploy {

class Looper {
 public:
  explicit Looper(std::function<Duration()> step)
      : step_(std::move(step)), thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

  // Thread-safe. The step that is under way counts as before the call: another one follows.
  void Wake() {
    std::lock_guard lock(mutex_);
    woken_ = true;
    condition_.notify_all();
  }

 private:
  void Loop(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      Duration wait = step_();
      std::unique_lock lock(mutex_);
      condition_.wait_for(lock, stop, wait, [this] { return woken_; });
      woken_ = false;
    }
  }

  std::function<Duration()> step_;
  std::mutex mutex_;
  std::condition_variable_any condition_;
  bool woken_ = false;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace snug::deploy
