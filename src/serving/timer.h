// Runs tasks later, one at a time, on a thread that starts when it is first needed.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace snug::serving {

// Thread-safe. Tasks must be short; those whose time has not come when it stops are dropped.
class Timer {
 public:
  ~Timer() { Stop(); }
  void After(Duration delay, std::function<void()> task);
  void Stop();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> tasks_;
  std::thread thread_;
  bool stopped_ = false;
};

}  // namespace snug::serving
