// Counters and latency histograms that cost one relaxed atomic addition each, and their Prometheus text.
//
// Own code instead of prometheus-cpp: that library takes a mutex for each histogram observation and keeps
// every label set in maps that a request would have to look up; here a model's numbers are plain members of
// the object that the request holds anyway.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace snug {

// Only grows. Thread-safe.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Latencies from 100 us to 60 s. Thread-safe; a reader may see an observation in the sum and not yet in its
// bucket.
class LatencyHistogram {
 public:
  // Upper bounds in seconds; beyond the last lies +Inf.
  static constexpr std::array<double, 18> kBounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                  0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                                  1,      2.5,     5,      10,    30,     60};

  void Observe(Duration latency);
  std::array<uint64_t, kBounds.size() + 1> Counts() const;  // of each bucket alone, not cumulative
  double SumSeconds() const { return static_cast<double>(sum_ns_.value()) * 1e-9; }

 private:
  std::array<Counter, kBounds.size() + 1> buckets_;
  Counter sum_ns_;
};

// `model="ocr",version="3"`, values escaped.
std::string MetricLabels(std::initializer_list<std::pair<std::string_view, std::string_view>> labels);

// Writes the text exposition format 0.0.4: a family, then its samples.
class MetricsText {
 public:
  // type: "counter", "gauge" or "histogram".
  void Family(std::string_view name, std::string_view type, std::string_view help);
  // A sample of the family begun last. `labels` as of MetricLabels, may be empty.
  void Sample(std::string_view labels, double value);
  void Sample(std::string_view labels, const LatencyHistogram& histogram);
  std::string Take() { return std::move(text_); }

 private:
  void Line(std::string_view suffix, std::string_view labels, std::string_view more, double value);

  std::string family_;
  std::string text_;
};

}  // namespace snug
