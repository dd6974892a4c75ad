// The slowest requests of the last while, with where their time went: what one looks at when a percentile is
// bad.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace snug::serving {

struct SlowRequest {
  std::string model;
  int64_t version = 0;
  Code code = Code::kOk;
  std::string trace;     // the client's W3C traceparent, empty: it sent none
  double arrived_s = 0;  // since 1970
  Duration total{0};     // arrival to answer, of which
  Duration before{0};    // until it was queued: reading its tensors
  Duration queue{0};     // waiting for an instance, or for a thread to parse it
  Duration parse{0}, format{0};
  Duration compute{0};  // in the engine, with joining and cutting batches apart
};

// Thread-safe. A request that is not among the slowest costs two loads.
class SlowRequests {
 public:
  // Keeps `kept_max` for each half of the last `window`.
  SlowRequests(size_t kept_max, Duration window) : kept_max_(kept_max), half_(window / 2) {}

  bool Wants(Duration total, TimePoint now) const {
    return total.count() > floor_ns_.load(std::memory_order_relaxed) ||
           now.time_since_epoch().count() >= next_half_ns_.load(std::memory_order_relaxed);
  }
  void Offer(SlowRequest request, TimePoint now);
  // The slowest first, at most kept_max.
  std::vector<SlowRequest> Slowest(TimePoint now);

 private:
  void Turn(TimePoint now);

  const size_t kept_max_;
  const Duration half_;
  std::atomic<int64_t> floor_ns_{-1};  // of `current_` when it is full
  std::atomic<int64_t> next_half_ns_{INT64_MIN};
  std::mutex mutex_;
  std::vector<SlowRequest> current_, before_;  // heaps, the least slow on top
};

}  // namespace snug::serving
