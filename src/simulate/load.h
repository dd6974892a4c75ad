// Replay of models over time (snug simulate load): the training part decides fleet and homes, the rest is
// replayed minute by minute through the same functions that the controller calls.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "placement/fleet_homes.h"
#include "placement/fleet_scale.h"
#include "simulate/demand.h"

namespace snug::simulate {

struct LoadOptions {
  double card_memory_gb = 22;
  double policy_limit = 0;  // of the rules that have one; 0: their usual one
  bool scale_in = false;    // snug gives cards back that it does not need
  bool repack = true;       // snug moves homes about at night
  placement::FleetLimits fleet;
  placement::ScaleLimits scale;
  // A card that fails so many minutes after the replay's start, and the minutes until it is back; <0: none.
  double fail_minute = -1;
  double fail_minutes = 60;
  // Called in every replayed minute with the loads balanced; may be empty.
  std::function<void(size_t minute, const placement::Fleet&)> observer;
};

struct LoadRun {
  std::string policy;
  uint64_t seed = 0;
  size_t models = 0;
  size_t cards = 0;
  double overload_percent = 0;          // of the card-minutes that cards were on
  double load_in_overload_percent = 0;  // of the load served
  double mean_cards = 0;                // on
  double mean_use_percent = 0;          // load over the card-minutes that cards were on
  size_t lower_bound = 0;               // ceil of the replay's highest sum
  double lower_bound_hourly = 0;        // mean over the hours of the ceil of each hour's highest sum
  double loads_per_day = 0;             // copies loaded, moves included
  double moves_per_day = 0;             // of them, because a card was given back or had failed
  double copies_per_model = 0;          // mean over models and hours
  double unserved_percent =
      0;                // of the load: model without a home, or above the cards' capacity when no other
  size_t unplaced = 0;  // models that no card could hold
  double planning_us_max = 0;  // the longest decision of a minute
  // For the page: per hour.
  std::vector<double> hourly_cards, hourly_bound, hourly_overload;
  std::vector<std::vector<float>> hourly_use;  // [hour][card]
  std::vector<int> daily_loads;
};

// random, first-fit, best-fit, dot-product, fifty-percent, fgd, snug, one-per-card.
Result<LoadRun> RunLoad(const Demand& demand, const std::string& policy, uint64_t seed,
                        const LoadOptions& options);

// The homes a static policy gives: card of each model; SIZE_MAX: none. `use` of a group is the mean of the
// last 24 training hours.
Result<std::vector<size_t>> StaticHomes(const Demand& demand, const std::string& policy, uint64_t seed,
                                        const LoadOptions& options);

// A fleet with first and second homes planned from the training part.
placement::Fleet TrainedFleet(const Demand& demand, const LoadOptions& options);

}  // namespace snug::simulate
