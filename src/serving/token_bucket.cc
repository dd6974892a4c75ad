#include "serving/token_bucket.h"

#include <algorithm>

namespace snug::serving {

TokenBucket::TokenBucket(double per_second, double burst)
    : interval_ns_(std::max<int64_t>(1, static_cast<int64_t>(1e9 / per_second))),
      ahead_ns_max_(static_cast<int64_t>(1e9 / per_second * std::max(burst, 1.0))) {}

Duration TokenBucket::Take(TimePoint now) {
  const int64_t now_ns = now.time_since_epoch().count();
  int64_t full_at = full_at_ns_.load(std::memory_order_relaxed);
  for (;;) {
    const int64_t then = std::max(full_at, now_ns) + interval_ns_;
    const int64_t over = then - now_ns - ahead_ns_max_;
    if (over > 0) return Duration(over);
    if (full_at_ns_.compare_exchange_weak(full_at, then, std::memory_order_relaxed)) return Duration{0};
  }
}

}  // namespace snug::serving
