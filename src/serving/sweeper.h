// A thread that looks for requests that nobody waits for any more: when the first deadline of those that wait
// passes, and now and then for cancelled ones. It sleeps while nothing waits.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace snug::serving {

// How late the answer to an expired request may be.
constexpr std::chrono::milliseconds kSweepInterval{5};
// How long a cancelled request may keep its place in a queue. Each tick disturbs whoever executes.
constexpr std::chrono::milliseconds kCancelInterval{50};

// How long to sleep before the next tick, when something has to be answered at `due`. Pure.
Duration UntilSweep(TimePoint due, TimePoint now);

class Sweeper {
 public:
  // `sweep` says when it has to be called again, by the clock; TimePoint::max(): nothing waits.
  Sweeper(const Clock& clock, std::function<TimePoint()> sweep)
      : clock_(clock), sweep_(std::move(sweep)), thread_([this] { Run(); }) {}
  ~Sweeper() { Stop(); }

  // A request waits whose deadline is `due`, or TimePoint::max(). Thread-safe, and cheap where a tick that is
  // soon enough is planned already.
  void Wake(TimePoint due);
  void Stop();

 private:
  using Steady = std::chrono::steady_clock;

  void Plan(TimePoint due);
  void Run();

  const Clock& clock_;
  const std::function<TimePoint()> sweep_;
  std::atomic<Steady::time_point> planned_{Steady::time_point::max()};  // max: asleep
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace snug::serving
