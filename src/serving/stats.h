// What is counted of one model version. Plain atomics: a request touches no lock and looks nothing up.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "base/metrics.h"
#include "base/status.h"

namespace snug::serving {

// Rows of the batches executed: 1, 2, up to 4, up to 8, and so on.
class RowsHistogram {
 public:
  static constexpr size_t kBuckets = 13;  // the last: more than 2048
  void Observe(uint64_t rows) {
    size_t bucket = 0;
    while (bucket + 1 < kBuckets && (uint64_t{1} << bucket) < rows) ++bucket;
    buckets_[bucket].Add();
    sum_.Add(rows);
  }
  uint64_t Count(size_t bucket) const { return buckets_[bucket].value(); }
  uint64_t sum() const { return sum_.value(); }

 private:
  std::array<Counter, kBuckets> buckets_;
  Counter sum_;
};

// Of one instance. Only its executions, whoever runs them.
struct InstanceStats {
  Counter executions;
  Counter compute_ns;
};

// Executions by the rows that they were called with, padding included. What is beyond the first kSizesMax
// different sizes is not counted.
class BatchTimes {
 public:
  static constexpr size_t kSizesMax = 64;
  struct Row {
    uint64_t rows, executions, compute_ns;
  };
  void Observe(uint64_t rows, uint64_t compute_ns) {
    for (Entry& entry : entries_) {
      uint64_t own = entry.rows.load(std::memory_order_relaxed);
      if (own == 0 && entry.rows.compare_exchange_strong(own, rows)) own = rows;
      if (own != rows) continue;
      entry.executions.Add();
      entry.compute_ns.Add(compute_ns);
      return;
    }
  }
  std::vector<Row> Rows() const {  // in the order in which sizes came up
    std::vector<Row> rows;
    for (const Entry& entry : entries_) {
      if (entry.rows != 0) rows.push_back({entry.rows, entry.executions.value(), entry.compute_ns.value()});
    }
    return rows;
  }

 private:
  struct Entry {
    std::atomic<uint64_t> rows{0};  // 0: free
    Counter executions, compute_ns;
  };
  std::array<Entry, kSizesMax> entries_;
};

struct VersionStats {
  static constexpr size_t kInstancesMax = 64;  // as model.yaml allows

  std::array<Counter, 17> requests;  // by code
  LatencyHistogram request_latency;  // arrival to answer
  LatencyHistogram queue_latency;    // waiting for an instance
  Counter success_ns, failure_ns;    // arrival to answer
  Counter queue_ns;
  Counter parse_ns, compute_ns, format_ns;
  Counter compute_cpu_ns;  // CPU time of the threads that called the engine, while they did
  std::array<InstanceStats, kInstancesMax> instances;
  Counter executions;
  Counter inferences;  // items: the first dimension of the first input where the batch is free, else 1 each
  Counter retries;     // executions repeated because the engine's process had died
  BatchTimes batch_times;
  RowsHistogram batch_rows;  // only of a model that is batched, without padding
  Counter padding_rows;
  Counter input_bytes;    // that the engine was called with
  Counter padding_bytes;  // of those, what only filled them up; of a model with `padding`
  Counter batches_split;  // that failed as a whole, and were executed one by one
  Counter limited;        // refused by model.yaml's limits
  Counter cache_hits, cache_misses;
  Counter cache_joined;                 // misses that waited for the answer of an equal one
  Counter cache_hit_ns, cache_miss_ns;  // of looking it up
  std::atomic<int64_t> in_flight{0};
  std::atomic<uint64_t> memory_bytes{0};  // of the newest copy
  std::atomic<uint64_t> held_bytes{0};    // of all copies: two while one replaces the other
  std::atomic<uint64_t> held_bytes_peak{0};
  std::atomic<int> threads{0};                // that its instances may keep busy together
  std::atomic<int64_t> last_inference_ms{0};  // since 1970

  void Finished(Code code, Duration latency) {
    requests[static_cast<size_t>(code) < requests.size() ? static_cast<size_t>(code) : 2].Add();
    request_latency.Observe(latency);
    (code == Code::kOk ? success_ns : failure_ns)
        .Add(static_cast<uint64_t>(latency.count() > 0 ? latency.count() : 0));
  }
  void CountCache(bool hit, Duration took) {
    (hit ? cache_hits : cache_misses).Add();
    (hit ? cache_hit_ns : cache_miss_ns).Add(static_cast<uint64_t>(took.count() > 0 ? took.count() : 0));
  }
  void Hold(uint64_t bytes) {
    const uint64_t now = held_bytes.fetch_add(bytes) + bytes;
    uint64_t peak = held_bytes_peak.load();
    while (now > peak && !held_bytes_peak.compare_exchange_weak(peak, now)) {
    }
  }
  uint64_t Succeeded() const { return requests[0].value(); }
  uint64_t Failed() const {
    uint64_t sum = 0;
    for (size_t i = 1; i < requests.size(); ++i) sum += requests[i].value();
    return sum;
  }
};

}  // namespace snug::serving
