#include "simulate/load.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/clock.h"
#include "base/rng.h"
#include "placement/fleet_minute.h"
#include "placement/fleet_repack.h"
#include "placement/place.h"

namespace snug::simulate {
namespace {

using placement::CardState;
using placement::Change;
using placement::Fleet;

constexpr double kOverload = 1 + 1e-9;
constexpr size_t kBucketMinutes = 10;
constexpr double kBytesPerGb = 1e9;
constexpr uint64_t kOrderStream = 0x6f72646572;

double TrainPeak(const Demand& demand) {
  double peak = 0;
  for (size_t t = 0; t < demand.train_minutes; ++t) peak = std::max(peak, demand.SharedSum(t));
  return peak;
}

double SharedMemory(const Demand& demand) {
  double gb = 0;
  for (size_t m = 0; m < demand.models(); ++m) gb += demand.guaranteed[m] ? 0.0 : demand.memory_gb[m];
  return gb;
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

// Mean use by model and bucket, from minute `from` until before minute `end`.
std::vector<std::vector<float>> Profiles(const Demand& demand, size_t from, size_t end) {
  size_t buckets = (end - from) / kBucketMinutes;
  std::vector<std::vector<float>> profiles(demand.models(), std::vector<float>(buckets, 0.0f));
  for (size_t t = 0; t < buckets * kBucketMinutes; ++t) {
    for (size_t m = 0; m < demand.models(); ++m) {
      profiles[m][t / kBucketMinutes] += demand.At(from + t)[m] / kBucketMinutes;
    }
  }
  return profiles;
}

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
    for (size_t t = 0; t < demand.train_minutes; ++t) sums_.push_back(demand.SharedSum(t));
    memory_gb_ = SharedMemory(demand);
    shared_cards_ = wanted_ = static_cast<size_t>(std::count_if(
        fleet_.cards.begin(), fleet_.cards.end(), [](const auto& card) { return !card.guaranteed; }));
    quiet_minute_ = QuietMinute();
    run_.cards = fleet_.cards.size();
    for (const auto& model : fleet_.models) run_.unplaced += model.homes.empty();
  }

  void Run() {
    Tally tally(demand_, run_);
    double unserved = 0, total = 0;
    for (size_t t = demand_.train_minutes; t < demand_.minutes; ++t) {
      FailOrRepair(t - demand_.train_minutes);
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
    sums_.push_back(demand_.SharedSum(t));
    const float* use = demand_.At(t);
    for (size_t m = 0; m < fleet_.models.size(); ++m) {
      placement::Observe(fleet_.models[m], static_cast<double>(use[m]));
    }
  }

  // The first minute of the hour of the day that was the quietest on the last training day.
  size_t QuietMinute() const {
    size_t from = demand_.train_minutes - std::min<size_t>(1440, demand_.train_minutes);
    size_t quiet = from;
    double least = 0;
    for (size_t hour = from; hour + 60 <= demand_.train_minutes; hour += 60) {
      double sum = std::accumulate(sums_.begin() + static_cast<ptrdiff_t>(hour),
                                   sums_.begin() + static_cast<ptrdiff_t>(hour + 60), 0.0);
      if (hour != from && sum >= least) continue;
      quiet = hour;
      least = sum;
    }
    return quiet % 1440;
  }

  std::vector<Change> Repack(size_t t) {
    size_t from = t - std::min<size_t>(1440, t);
    auto moves_max = static_cast<size_t>(options_.fleet.loads_per_minute_max);
    placement::FleetRepack plan =
        placement::PlanRepack(fleet_, Profiles(demand_, from, t), moves_max, options_.fleet);
    leaving_ = std::move(plan.then);
    return std::move(plan.now);
  }

  // What a repack replaced goes once its new homes serve.
  void Leave() {
    for (const Change& change : leaving_) {
      if (HasOtherHome(fleet_, fleet_.models[change.model], change.card))
        placement::CarryOut(fleet_, {change});
    }
    leaving_.clear();
  }

  void Plan(size_t t) {
    Leave();
    if (options_.scale_in) {
      wanted_ =
          placement::CardsWanted(sums_, memory_gb_, options_.card_memory_gb, shared_cards_, options_.scale);
    }
    TimePoint start = SystemClock().Now();
    bool repack = options_.repack && t % 1440 == quiet_minute_;
    std::vector<Change> changes = repack ? Repack(t) : placement::PlanMinute(fleet_, wanted_, options_.fleet);
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
  size_t wanted_ = 0, shared_cards_ = 0, quiet_minute_ = 0;
  std::vector<Change> leaving_;
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
    if (demand.guaranteed[m]) wanted.isolation = placement::Isolation::kGuaranteed;
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
  placement::FleetCard card;
  card.memory_gb = options.card_memory_gb;
  fleet.cards.assign(
      FleetSize(TrainPeak(demand), SharedMemory(demand), options.card_memory_gb, options.fleet), card);
  fleet.models.resize(demand.models());
  for (size_t m = 0; m < demand.models(); ++m) {
    fleet.models[m].memory_gb = demand.memory_gb[m];
    if (demand.guaranteed[m]) fleet.models[m].guaranteed_share = demand.request[m] / demand.card_capacity;
  }
  card.guaranteed = true;
  fleet.cards.insert(fleet.cards.end(), GuaranteedCards(fleet.models, options.card_memory_gb), card);
  for (size_t t = 0; t < demand.train_minutes; ++t) {
    for (size_t m = 0; m < demand.models(); ++m) {
      placement::Observe(fleet.models[m], static_cast<double>(demand.At(t)[m]));
    }
  }
  for (size_t m = 0; m < demand.models(); ++m) fleet.models[m].recent_load = LastDayMean(demand, m);
  PlanHomes(fleet, Profiles(demand, 0, demand.train_minutes), options.fleet);
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
