// How long to wait before starting again what keeps failing: longer and longer, forgiven after a while of
// health. Pure; not thread-safe. Users bring their own bounds.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace snug {

struct BackoffBounds {
  Duration delay_min;
  Duration delay_max;
  Duration stable_after;       // what ran this long was well: the next delay is the shortest again
  bool first_is_free = false;  // the first failure after health costs no waiting: most are a single kill
};

class Backoff {
 public:
  explicit Backoff(const BackoffBounds& bounds) : bounds_(bounds), next_(First()) {}

  // The delay before the next start, after a run of `uptime` (0 when it did not start at all). Doubles with
  // each call.
  Duration Next(Duration uptime) {
    if (uptime >= bounds_.stable_after) next_ = First();
    Duration delay = next_;
    next_ = delay < bounds_.delay_min ? bounds_.delay_min : std::min(delay * 2, bounds_.delay_max);
    return delay;
  }

 private:
  Duration First() const { return bounds_.first_is_free ? Duration{0} : bounds_.delay_min; }

  BackoffBounds bounds_;
  Duration next_;
};

}  // namespace snug
