// A rate limit on the caller's clock. Pure, lock-free.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace snug::serving {

// Holds up to `burst` tokens and gets `per_second` new ones. Thread-safe.
class TokenBucket {
 public:
  TokenBucket(double per_second, double burst);

  // Takes a token: zero when there was one, else nothing is taken and the result is how long until there is.
  Duration Take(TimePoint now);

 private:
  const int64_t interval_ns_;  // between tokens
  const int64_t ahead_ns_max_;
  // When the bucket would be full again if nothing more were taken (the "theoretical arrival time" of ATM's
  // generic cell rate algorithm): one number instead of a count and a time, so that one exchange changes
  // both.
  std::atomic<int64_t> full_at_ns_{INT64_MIN};
};

}  // namespace snug::serving
