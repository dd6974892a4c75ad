#include "simulate/demand.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "simulate/sampling.h"

namespace snug::simulate {
namespace {

// Fractions up to a half of openb's default pod list: milli of a card and pods that ask for it.
constexpr std::array<std::pair<int, int>, 16> kFractions = {{{50, 7},
                                                             {110, 24},
                                                             {140, 1},
                                                             {160, 74},
                                                             {220, 62},
                                                             {230, 140},
                                                             {270, 4},
                                                             {290, 1},
                                                             {320, 328},
                                                             {330, 7},
                                                             {350, 6},
                                                             {370, 47},
                                                             {440, 2},
                                                             {460, 128},
                                                             {470, 750},
                                                             {480, 19}}};
constexpr double kRequestQuantile = 0.999;
constexpr uint64_t kMemoryStream = 0x6d656d6f7279;
constexpr uint64_t kClassStream = 0x636c617373;

double DrawRequest(Rng& rng) {
  int pods = 0;
  for (auto [milli, count] : kFractions) pods += count;
  auto at = static_cast<int>(rng.Below(static_cast<uint64_t>(pods)));
  for (auto [milli, count] : kFractions) {
    if (at < count) return milli / 1000.0;
    at -= count;
  }
  return kFractions.back().first / 1000.0;
}

uint32_t Quantile(std::vector<uint32_t> values, double part) {
  auto at = values.begin() + static_cast<ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

Counts DrawCounts(const Series& series, uint64_t noise_seed) {
  Counts counts;
  counts.names = series.clients;
  counts.minute_count = static_cast<size_t>(series.window_s * static_cast<double>(series.window_count) / 60);
  counts.hash = 0xcbf29ce484222325;
  for (size_t c = 0; c < series.clients.size(); ++c) {
    Rng rng(StreamSeed(series.clients[c], noise_seed));
    auto& minutes = counts.minutes.emplace_back(counts.minute_count);
    for (size_t t = 0; t < minutes.size(); ++t) {
      auto window = static_cast<size_t>(static_cast<double>(t) * 60 / series.window_s);
      const Series::Window& w = series.windows[c][window];
      double mean = static_cast<double>(w.rate_per_s) * 60;
      minutes[t] = static_cast<uint32_t>(
          std::min<uint64_t>(UINT32_MAX, RequestCount(rng, mean, static_cast<double>(w.interarrival_cv))));
      counts.hash = (counts.hash ^ minutes[t]) * 0x100000001b3;
    }
  }
  return counts;
}

double Demand::Sum(size_t minute) const {
  const float* now = At(minute);
  double sum = 0;
  for (size_t m = 0; m < models(); ++m) sum += static_cast<double>(now[m]);
  return sum;
}

double Demand::SharedSum(size_t minute) const {
  const float* now = At(minute);
  double sum = 0;
  for (size_t m = 0; m < models(); ++m) sum += guaranteed[m] ? 0.0 : static_cast<double>(now[m]);
  return sum;
}

Result<Demand> MakeDemand(const Counts& counts, uint64_t seed, const DemandOptions& options) {
  Demand demand;
  demand.minutes = counts.minute_count;
  demand.card_capacity = options.card_capacity;
  demand.train_minutes = static_cast<size_t>(options.train_days * 1440);
  if (demand.train_minutes < 60 || demand.train_minutes + 60 > demand.minutes) {
    return InvalidArgument(
        "--train-days {} of a series of {:.2f} days: at least an hour to train and one to replay",
        options.train_days, static_cast<double>(demand.minutes) / 1440);
  }
  Rng requests(seed), memory(seed ^ kMemoryStream), classes(seed ^ kClassStream);
  std::vector<size_t> clients;
  std::vector<double> per_request;
  for (size_t c = 0; c < counts.names.size(); ++c) {
    const auto& minutes = counts.minutes[c];
    auto train_end = minutes.begin() + static_cast<ptrdiff_t>(demand.train_minutes);
    if (std::accumulate(minutes.begin(), train_end, uint64_t{0}) == 0) continue;
    uint32_t busy = std::max(1u, Quantile({minutes.begin(), train_end}, kRequestQuantile));
    clients.push_back(c);
    demand.names.push_back(counts.names[c]);
    demand.request.push_back(DrawRequest(requests));
    double span = options.memory_gb_high - options.memory_gb_low;
    demand.memory_gb.push_back(options.memory_gb_low + span * memory.Uniform());
    demand.guaranteed.push_back(classes.Uniform() < options.guaranteed);
    per_request.push_back(demand.request.back() / busy);
  }
  if (clients.empty())
    return InvalidArgument("no client has requests in the first {} days", options.train_days);
  demand.use.resize(demand.minutes * clients.size());
  for (size_t m = 0; m < clients.size(); ++m) {
    double most = options.clip || demand.guaranteed[m] ? demand.request[m] : 1.0;
    const auto& minutes = counts.minutes[clients[m]];
    for (size_t t = 0; t < demand.minutes; ++t) {
      double use = std::min(most, minutes[t] * per_request[m]);
      demand.use[t * clients.size() + m] = static_cast<float>(use / options.card_capacity);
    }
  }
  return demand;
}

}  // namespace snug::simulate
