#include "simulate/load.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/clock.h"
#include "base/rng.h"
#include "placement/place.h"

namespace snug::simulate {
namespace {

using placement::CardState;
using placement::Change;
using placement::Fleet;

constexpr double kOverload = 1 + 1e-9;
constexpr size_t kBucketMinutes = 10;
constexpr double kSmoothing = 0.05;    // of a model's recent load, per minute
constexpr double kPeakKept = 0.99952;  // per minute: half in a day
constexpr double kBytesPerGb = 1e9;
constexpr uint64_t kOrderStream = 0x6f72646572;

double TrainPeak(const Demand& demand) {
  double peak = 0;
  for (size_t t = 0; t < demand.train_minutes; ++t) peak = std::max(peak, demand.Sum(t));
  return peak;
}

// Counts what every minute adds, whatever the policy.
class Tally {
 public:
  Tally(const Demand& demand, LoadRun& run) : demand_(demand), run_(run) {}

  void Minute(size_t minute, const std::vector<double>& loads, const std::vector<bool>& on) {
    size_t hour = (minute - demand_.train_minutes) / 60;
    if (hour == run_.hourly_cards.size()) StartHour(loads.size());
    double sum = demand_.Sum(minute);
    peak_ = std::max(peak_, sum);
    hour_peak_ = std::max(hour_peak_, sum);
    for (size_t c = 0; c < loads.size(); ++c) {
      if (!on[c]) continue;
      ++card_minutes_;
      load_ += loads[c];
      run_.hourly_cards.back() += 1.0 / 60;
      run_.hourly_use.back()[c] += static_cast<float>(loads[c] / 60);
      if (loads[c] <= kOverload) continue;
      ++overloaded_;
      load_in_overload_ += loads[c];
      run_.hourly_overload.back() += 1;
    }
    run_.hourly_bound.back() = std::ceil(hour_peak_ - 1e-9);
    ++minutes_;
  }

  void Finish() {
    auto mean = [](const std::vector<double>& v) {
      return v.empty() ? 0.0 : std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
    };
    run_.overload_percent = 100.0 * static_cast<double>(overloaded_) / static_cast<double>(card_minutes_);
    run_.load_in_overload_percent = load_ > 0 ? 100 * load_in_overload_ / load_ : 0;
    run_.mean_cards = static_cast<double>(card_minutes_) / static_cast<double>(minutes_);
    run_.mean_use_percent = 100 * load_ / static_cast<double>(card_minutes_);
    run_.lower_bound = static_cast<size_t>(std::ceil(peak_ - 1e-9));
    run_.lower_bound_hourly = mean(run_.hourly_bound);
  }

 private:
  void StartHour(size_t cards) {
    run_.hourly_cards.push_back(0);
    run_.hourly_bound.push_back(0);
    run_.hourly_overload.push_back(0);
    run_.hourly_use.emplace_back(cards, 0.0f);
    hour_peak_ = 0;
  }

  const Demand& demand_;
  LoadRun& run_;
  double peak_ = 0, hour_peak_ = 0, load_ = 0, load_in_overload_ = 0;
  size_t card_minutes_ = 0, overloaded_ = 0, minutes_ = 0;
};

double LastDayMean(const Demand& demand, size_t model) {
  size_t from = demand.train_minutes > 1440 ? demand.train_minutes - 1440 : 0;
  double sum = 0;
  for (size_t t = from; t < demand.train_minutes; ++t) sum += static_cast<double>(demand.At(t)[model]);
  return sum / static_cast<double>(demand.train_minutes - from);
}

std::vector<size_t> ArrivalOrder(size_t models, uint64_t seed) {
  std::vector<size_t> order(models);
  std::iota(order.begin(), order.end(), size_t{0});
  Rng(seed ^ kOrderStream).Shuffle(std::span(order));
  return order;
}

Fleet StaticFleet(const std::vector<size_t>& homes, size_t cards) {
  Fleet fleet;
  fleet.cards.resize(cards);
  fleet.models.resize(homes.size());
  for (size_t m = 0; m < homes.size(); ++m) {
    if (homes[m] != SIZE_MAX) fleet.models[m].homes.push_back({static_cast<uint32_t>(homes[m]), 0});
  }
  return fleet;
}

void ReplayStatic(const Demand& demand, const std::vector<size_t>& homes, const LoadOptions& options,
                  LoadRun& run) {
  for (size_t home : homes) {
    if (home == SIZE_MAX) {
      ++run.unplaced;
    } else {
      run.cards = std::max(run.cards, home + 1);
    }
  }
  Fleet fleet = StaticFleet(homes, run.cards);
  Tally tally(demand, run);
  std::vector<double> loads(run.cards);
  std::vector<bool> on(run.cards, true);
  double unserved = 0, total = 0;
  for (size_t t = demand.train_minutes; t < demand.minutes; ++t) {
    unserved += placement::Balance(fleet, demand.At(t));
    total += demand.Sum(t);
    if (options.observer) options.observer(t, fleet);
    for (size_t c = 0; c < loads.size(); ++c) loads[c] = fleet.cards[c].load;
    tally.Minute(t, loads, on);
  }
  tally.Finish();
  run.unserved_percent = total > 0 ? 100 * unserved / total : 0;
  run.copies_per_model = 1.0 - static_cast<double>(run.unplaced) / static_cast<double>(homes.size());
}

// Our own policy through the minute loop.
class FleetReplay {
 public:
  FleetReplay(const Demand& demand, const LoadOptions& options, LoadRun& run)
      : demand_(demand), options_(options), run_(run), fleet_(TrainedFleet(demand, options)) {
    for (size_t t = 0; t < demand.train_minutes; ++t) sums_.push_back(demand.Sum(t));
    for (double gb : demand.memory_gb) memory_gb_ += gb;
    wanted_ = fleet_.cards.size();
    run_.cards = wanted_;
    for (const auto& model : fleet_.models) run_.unplaced += model.homes.empty();
  }

  void Run() {
    Tally tally(demand_, run_);
    double unserved = 0, total = 0;
    for (size_t t = demand_.train_minutes; t < demand_.minutes; ++t) {
      FailOrRepair(t - demand_.train_minutes);
      if (options_.scale_in && (t - demand_.train_minutes) % 60 == 0) WantForHour();
      unserved += placement::Balance(fleet_, demand_.At(t));
      total += demand_.Sum(t);
      if (options_.observer) options_.observer(t, fleet_);
      Count(t, tally);
      Observe(t);
      Plan(t);
    }
    tally.Finish();
    double days = static_cast<double>(demand_.minutes - demand_.train_minutes) / 1440;
    run_.loads_per_day = loads_ / days;
    run_.moves_per_day = moves_ / days;
    run_.copies_per_model = copies_ / static_cast<double>(demand_.minutes - demand_.train_minutes);
    run_.unserved_percent = total > 0 ? 100 * unserved / total : 0;
  }

 private:
  void WantForHour() {
    wanted_ = placement::CardsForNextHour(sums_, memory_gb_, options_.card_memory_gb, fleet_.cards.size(),
                                          options_.scale);
  }

  void FailOrRepair(size_t minute) {
    auto failed = std::find_if(fleet_.cards.begin(), fleet_.cards.end(),
                               [](const auto& card) { return card.state == CardState::kFailed; });
    auto now = static_cast<double>(minute);
    if (failed != fleet_.cards.end() && now >= options_.fail_minute + options_.fail_minutes) {
      failed->state = CardState::kOff;
    }
    if (options_.fail_minute < 0 || now != std::floor(options_.fail_minute)) return;
    auto busiest = std::max_element(fleet_.cards.begin(), fleet_.cards.end(),
                                    [](const auto& a, const auto& b) { return a.load < b.load; });
    placement::FailCard(fleet_, static_cast<uint32_t>(busiest - fleet_.cards.begin()));
  }

  void Count(size_t t, Tally& tally) {
    std::vector<double> loads;
    std::vector<bool> on;
    for (const auto& card : fleet_.cards) {
      loads.push_back(card.load);
      on.push_back(card.state == CardState::kOn || card.state == CardState::kClosing);
    }
    tally.Minute(t, loads, on);
    size_t homes = 0;
    for (const auto& model : fleet_.models) homes += model.homes.size();
    copies_ += static_cast<double>(homes) / static_cast<double>(demand_.models());
  }

  void Observe(size_t t) {
    sums_.push_back(demand_.Sum(t));
    const float* use = demand_.At(t);
    for (size_t m = 0; m < fleet_.models.size(); ++m) {
      auto load = static_cast<double>(use[m]);
      auto& model = fleet_.models[m];
      model.recent_load += kSmoothing * (load - model.recent_load);
      model.recent_peak = std::max(load, model.recent_peak * kPeakKept);
    }
  }

  void Plan(size_t t) {
    if (options_.scale_in) {
      wanted_ = placement::CardsInHurry(sums_.back(), wanted_, fleet_.cards.size(), options_.scale);
    }
    TimePoint start = SystemClock().Now();
    std::vector<Change> changes = placement::PlanMinute(fleet_, wanted_, options_.fleet);
    run_.planning_us_max = std::max(run_.planning_us_max, Seconds(SystemClock().Now() - start) * 1e6);
    size_t day = (t - demand_.train_minutes) / 1440;
    if (run_.daily_loads.size() <= day) run_.daily_loads.resize(day + 1);
    for (const Change& change : changes) {
      if (change.kind != Change::Kind::kLoad) continue;
      ++loads_;
      ++run_.daily_loads[day];
      moves_ += change.is_move;
    }
    placement::CarryOut(fleet_, changes);
  }

  const Demand& demand_;
  const LoadOptions& options_;
  LoadRun& run_;
  Fleet fleet_;
  std::vector<double> sums_;
  double memory_gb_ = 0, loads_ = 0, moves_ = 0, copies_ = 0;
  size_t wanted_ = 0;
};

}  // namespace

Result<std::vector<size_t>> StaticHomes(const Demand& demand, const std::string& policy, uint64_t seed,
                                        const LoadOptions& options) {
  std::vector<size_t> homes(demand.models(), SIZE_MAX);
  if (policy == "one-per-card") {
    std::iota(homes.begin(), homes.end(), size_t{0});
    return homes;
  }
  SNUG_ASSIGN_OR_RETURN(placement::Policy rule, placement::PolicyNamed(policy));
  if (options.policy_limit > 0) rule.limit = options.policy_limit;
  rule.seed = seed;
  placement::World world;
  world.new_group.memory_bytes = static_cast<uint64_t>(options.card_memory_gb * kBytesPerGb);
  for (size_t m : ArrivalOrder(demand.models(), seed)) {
    placement::Wanted wanted;
    wanted.id = {demand.names[m], 1};
    wanted.share = demand.request[m];
    wanted.memory_bytes = static_cast<uint64_t>(demand.memory_gb[m] * kBytesPerGb);
    world.wanted.push_back(wanted);
    SNUG_ASSIGN_OR_RETURN(placement::Plan plan, placement::Place(world, rule));
    for (const placement::Assignment& assignment : plan.assignments) {
      if (!assignment.is_new_copy) continue;
      size_t g = 0;
      while (g < world.groups.size() && world.groups[g].id != assignment.group) ++g;
      if (g == world.groups.size()) {
        world.groups.push_back(world.new_group);
        world.groups.back().id = "g" + std::to_string(g);
      }
      // The next model arrives a day later: by then the copy is measured.
      world.groups[g].use += LastDayMean(demand, m);
      world.groups[g].copies.push_back(
          {wanted.id, wanted.share, wanted.memory_bytes, true, wanted.isolation, {}});
      homes[m] = g;
    }
  }
  return homes;
}

Fleet TrainedFleet(const Demand& demand, const LoadOptions& options) {
  Fleet fleet;
  double memory_gb = std::accumulate(demand.memory_gb.begin(), demand.memory_gb.end(), 0.0);
  placement::FleetCard card;
  card.memory_gb = options.card_memory_gb;
  fleet.cards.assign(FleetSize(TrainPeak(demand), memory_gb, options.card_memory_gb, options.fleet), card);
  size_t buckets = demand.train_minutes / kBucketMinutes;
  std::vector<std::vector<float>> profiles(demand.models(), std::vector<float>(buckets, 0.0f));
  fleet.models.resize(demand.models());
  for (size_t m = 0; m < demand.models(); ++m) {
    fleet.models[m].memory_gb = demand.memory_gb[m];
    fleet.models[m].request = demand.request[m];
    fleet.models[m].recent_load = LastDayMean(demand, m);
  }
  for (size_t t = 0; t < buckets * kBucketMinutes; ++t) {
    for (size_t m = 0; m < demand.models(); ++m) {
      float use = demand.At(t)[m];
      profiles[m][t / kBucketMinutes] += use / kBucketMinutes;
      auto& model = fleet.models[m];
      model.recent_peak = std::max(static_cast<double>(use), model.recent_peak * kPeakKept);
    }
  }
  PlanHomes(fleet, profiles, options.fleet);
  return fleet;
}

Result<LoadRun> RunLoad(const Demand& demand, const std::string& policy, uint64_t seed,
                        const LoadOptions& options) {
  LoadRun run;
  run.policy = policy;
  run.seed = seed;
  run.models = demand.models();
  if (policy == "snug") {
    FleetReplay(demand, options, run).Run();
    return run;
  }
  SNUG_ASSIGN_OR_RETURN(auto homes, StaticHomes(demand, policy, seed, options));
  ReplayStatic(demand, homes, options, run);
  return run;
}

}  // namespace snug::simulate
