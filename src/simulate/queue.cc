#include "simulate/queue.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "simulate/sampling.h"

namespace snug::simulate {
namespace {

constexpr uint64_t kMinuteStream = 0x6d696e757465;
constexpr double kMinuteMs = 60'000;

struct Arrival {
  double at_ms;
  uint32_t model;
};

std::vector<Arrival> DrawArrivals(const Demand& demand, size_t minute, double service_ms, Rng& rng) {
  std::vector<Arrival> arrivals;
  for (uint32_t m = 0; m < demand.models(); ++m) {
    uint64_t count = Poisson(rng, static_cast<double>(demand.At(minute)[m]) * kMinuteMs / service_ms);
    for (uint64_t i = 0; i < count; ++i) arrivals.push_back({rng.Uniform() * kMinuteMs, m});
  }
  std::sort(arrivals.begin(), arrivals.end(), [](const Arrival& a, const Arrival& b) {
    return a.at_ms != b.at_ms ? a.at_ms < b.at_ms : a.model < b.model;
  });
  return arrivals;
}

// Appends each request's time in the system.
void ServeMinute(const placement::Fleet& fleet, const std::vector<Arrival>& arrivals, double service_ms,
                 Rng& rng, std::vector<float>& latencies_ms) {
  std::vector<double> free_at(fleet.cards.size(), 0.0);
  for (const Arrival& arrival : arrivals) {
    const auto& homes = fleet.models[arrival.model].homes;
    double service = service_ms * Exponential(rng);
    if (homes.empty()) continue;
    uint32_t best = homes[0].card;
    for (const auto& home : homes) {
      if (free_at[home.card] < free_at[best]) best = home.card;
    }
    free_at[best] = std::max(free_at[best], arrival.at_ms) + service;
    latencies_ms.push_back(static_cast<float>(free_at[best] - arrival.at_ms));
  }
}

Latencies Summary(std::vector<float> ms, double limit_ms) {
  Latencies result;
  result.requests = ms.size();
  if (ms.empty()) return result;
  std::sort(ms.begin(), ms.end());
  auto at = [&](double part) {
    return static_cast<double>(ms[static_cast<size_t>(part * static_cast<double>(ms.size() - 1))]);
  };
  result.p50_ms = at(0.5);
  result.p99_ms = at(0.99);
  result.p999_ms = at(0.999);
  auto above = ms.end() - std::upper_bound(ms.begin(), ms.end(), static_cast<float>(limit_ms));
  result.above_limit_percent = 100 * static_cast<double>(above) / static_cast<double>(ms.size());
  return result;
}

}  // namespace

Result<QueueRun> RunQueue(const Demand& demand, const std::string& policy, uint64_t seed,
                          const QueueOptions& options) {
  if (!(options.service_ms > 0.1 && options.service_ms < kMinuteMs)) {
    return InvalidArgument("--service-ms is {}; from 0.1 to {}", options.service_ms, kMinuteMs);
  }
  std::vector<size_t> minutes(demand.minutes - demand.train_minutes);
  std::iota(minutes.begin(), minutes.end(), demand.train_minutes);
  std::vector<double> sums(demand.minutes);
  for (size_t t : minutes) sums[t] = demand.Sum(t);
  std::vector<size_t> drawn = minutes;
  std::stable_sort(minutes.begin(), minutes.end(), [&](size_t a, size_t b) { return sums[a] > sums[b]; });
  minutes.resize(std::min(minutes.size(), options.busiest_minutes));
  Rng(seed ^ kMinuteStream).Shuffle(std::span(drawn));
  drawn.resize(std::min(drawn.size(), options.random_minutes));
  std::set<size_t> busiest(minutes.begin(), minutes.end()), random(drawn.begin(), drawn.end());

  std::vector<float> busiest_ms, random_ms;
  LoadOptions load = options.load;
  load.observer = [&](size_t t, const placement::Fleet& fleet) {
    if (!busiest.contains(t) && !random.contains(t)) return;
    // The same requests whatever the policy.
    Rng rng(StreamSeed("minute", seed * 1'000'003 + t));
    std::vector<Arrival> arrivals = DrawArrivals(demand, t, options.service_ms, rng);
    std::vector<float> ms;
    ServeMinute(fleet, arrivals, options.service_ms, rng, ms);
    if (busiest.contains(t)) busiest_ms.insert(busiest_ms.end(), ms.begin(), ms.end());
    if (random.contains(t)) random_ms.insert(random_ms.end(), ms.begin(), ms.end());
  };
  SNUG_ASSIGN_OR_RETURN(LoadRun run, RunLoad(demand, policy, seed, load));
  return QueueRun{policy, seed, run.cards, Summary(std::move(busiest_ms), options.limit_ms),
                  Summary(std::move(random_ms), options.limit_ms)};
}

}  // namespace snug::simulate
