// When to start a process again that keeps dying. Pure.
#pragma once

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace snug::engine {

class Backoff {
 public:
  static constexpr Duration kDelayMin = std::chrono::milliseconds(100);
  static constexpr Duration kDelayMax = std::chrono::seconds(30);
  // A process that lived this long was well: the next delay is the shortest again.
  static constexpr Duration kStableAfter = std::chrono::seconds(60);

  // The delay before the next start, after a process that lived for `uptime` (0 when it did not start).
  Duration Next(Duration uptime) {
    if (uptime >= kStableAfter) next_ = kDelayMin;
    return std::exchange(next_, std::min(next_ * 2, kDelayMax));
  }

 private:
  Duration next_ = kDelayMin;
};

}  // namespace snug::engine
