// A series of rates turned into what every model asks of a card, minute by minute (protocol:
// docs/simulate.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simulate/traces.h"

namespace snug::simulate {

inline constexpr uint64_t kNoiseSeed = 20260901;  // of the minutes' noise, the same for every request seed

// Requests per minute of each client. Each client has its own stream of the generator, named after it.
struct Counts {
  std::vector<std::string> names;
  std::vector<std::vector<uint32_t>> minutes;  // [client][minute]
  size_t minute_count = 0;
  uint64_t hash = 0;  // of all counts: the same on every machine
};
Counts DrawCounts(const Series& series, uint64_t noise_seed = kNoiseSeed);

struct DemandOptions {
  double train_days = 7;
  bool clip = false;  // true: no model gets more than its request; false: than a card
  double memory_gb_low = 0.5, memory_gb_high = 2;
  double card_capacity = 1;  // 0.85: co-resident models cost each other 15 %
  double guaranteed = 0;     // part of the models, drawn by seed, whose tenants pay for isolation
};

// Models are the clients with requests in the training part, in the clients' order.
struct Demand {
  std::vector<std::string> names;
  std::vector<double> request;  // share of a card
  std::vector<double> memory_gb;
  std::vector<bool> guaranteed;  // never gets more than its request, and always that
  std::vector<float> use;        // [minute][model], in cards
  double card_capacity = 1;      // that cards hold of what requests are measured in
  size_t train_minutes = 0, minutes = 0;

  size_t models() const { return names.size(); }
  const float* At(size_t minute) const { return use.data() + minute * names.size(); }
  double Sum(size_t minute) const;
  double SharedSum(size_t minute) const;  // without the guaranteed ones
};

// Draws requests (openb's default list, fractions up to a half) and memory by `seed`; a model's 99.9th
// percentile minute of the training part equals its request. INVALID_ARGUMENT: nothing to train or to replay.
Result<Demand> MakeDemand(const Counts& counts, uint64_t seed, const DemandOptions& options);

}  // namespace snug::simulate
