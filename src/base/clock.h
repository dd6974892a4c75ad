// Time as an argument. Real code gets SystemClock(); tests and the simulator a ManualClock.
#pragma once

#include <atomic>
#include <chrono>

namespace snug {

using Duration = std::chrono::nanoseconds;
// Monotonic time since an arbitrary start; comparable only within one process and one clock.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
  // Seconds since 1970, for rows and logs that people read; never for measuring.
  virtual double WallSeconds() const = 0;
};

// The process's clock. Thread-safe.
Clock& SystemClock();

// A clock that a test moves. Thread-safe.
class ManualClock : public Clock {
 public:
  TimePoint Now() const override { return TimePoint(Duration(now_ns_.load())); }
  double WallSeconds() const override { return 1.7e9 + static_cast<double>(now_ns_.load()) * 1e-9; }
  void Advance(Duration by) { now_ns_ += by.count(); }

 private:
  std::atomic<int64_t> now_ns_{0};
};

inline double Seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace snug
