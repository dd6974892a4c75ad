// The busiest and random minutes of a load replay, request by request (snug simulate queue): Poisson arrivals
// within the minute, exponential service, every card serves first come, first served, and a request goes to
// that home of its model with the least work waiting.
#pragma once

#include "simulate/load.h"

namespace snug::simulate {

struct QueueOptions {
  LoadOptions load;
  size_t busiest_minutes = 10;
  size_t random_minutes = 20;
  double service_ms = 10;
  double limit_ms = 100;
};

struct Latencies {
  size_t requests = 0;
  double p50_ms = 0, p99_ms = 0, p999_ms = 0, above_limit_percent = 0;
};

struct QueueRun {
  std::string policy;
  uint64_t seed = 0;
  size_t cards = 0;
  Latencies busiest, random;
};

Result<QueueRun> RunQueue(const Demand& demand, const std::string& policy, uint64_t seed,
                          const QueueOptions& options);

}  // namespace snug::simulate
