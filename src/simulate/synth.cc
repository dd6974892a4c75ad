#include "simulate/synth.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "simulate/sampling.h"

namespace snug::simulate {
namespace {

constexpr size_t kWindowsPerDay = 144;
constexpr size_t kSynthDaysMax = 366;

// A day's shape without a sine, which differs between machines: a smooth hump of `width` windows around the
// peak.
double Hump(double distance, double width) {
  double x = distance / width;
  return x >= 1 ? 0 : (1 - x * x) * (1 - x * x);
}

struct Habit {
  double rate = 0;         // per second, mean of the busy part of the day
  double peak_window = 0;  // of the day
  double width = 0;        // windows
  double base = 0;         // part of the rate at night
  double weekend = 1;
  double cv = 1;
  double burst_chance = 0;  // per window
  double burst_factor = 1;
};

Habit DrawHabit(Rng& rng) {
  Habit habit;
  habit.rate = PortableExp(-2 + 1.6 * Normal(rng));
  // Three quarters have office hours (peak near 15:00, +- 2 h), the others any hour.
  habit.peak_window = rng.Below(4) < 3 ? 90 + 12 * Normal(rng) : 144 * rng.Uniform();
  habit.width = 36 + 48 * rng.Uniform();
  habit.base = 0.05 + 0.3 * rng.Uniform();
  habit.weekend = 0.3 + 0.8 * rng.Uniform();
  habit.cv = PortableExp(0.35 + 0.6 * std::fabs(Normal(rng)));
  habit.burst_chance = 0.004 * rng.Uniform();
  habit.burst_factor = 2 + 6 * rng.Uniform();
  return habit;
}

std::vector<Series::Window> DrawWindows(const Habit& habit, size_t days, Rng& rng) {
  std::vector<Series::Window> windows;
  double drift = 0;
  int burst_left = 0;
  for (size_t w = 0; w < days * kWindowsPerDay; ++w) {
    if (w % kWindowsPerDay == 0) drift += 0.05 * Normal(rng);
    double at = static_cast<double>(w % kWindowsPerDay);
    double distance = std::fabs(at - habit.peak_window);
    distance = std::min(distance, std::fabs(static_cast<double>(kWindowsPerDay) - distance));
    double shape = habit.base + (1 - habit.base) * Hump(distance, habit.width);
    if (w / kWindowsPerDay % 7 >= 5) shape *= habit.weekend;
    if (burst_left > 0) {
      --burst_left;
    } else if (rng.Uniform() < habit.burst_chance) {
      burst_left = static_cast<int>(1 + rng.Below(6));
    }
    double rate = habit.rate * shape * PortableExp(drift + 0.15 * Normal(rng)) *
                  (burst_left > 0 ? habit.burst_factor : 1);
    windows.push_back({static_cast<float>(rate), static_cast<float>(habit.cv)});
  }
  return windows;
}

}  // namespace

Result<Series> MakeSynth(const SynthOptions& options) {
  size_t windows = options.days * kWindowsPerDay;
  if (options.models == 0 || options.models > kClientsMax || options.days == 0 ||
      options.days > kSynthDaysMax || windows * options.models > kSeriesCellsMax) {
    return InvalidArgument(
        "{} models x {} days: 1 to {} models, 1 to {} days, {} windows of 10 minutes in all", options.models,
        options.days, kClientsMax, kSynthDaysMax, kSeriesCellsMax);
  }
  Series series;
  series.window_count = windows;
  for (size_t m = 0; m < options.models; ++m) {
    series.clients.push_back(fmt::format("model-{:05}", m));
    Rng rng(StreamSeed(series.clients.back(), options.seed));
    Habit habit = DrawHabit(rng);
    series.windows.push_back(DrawWindows(habit, options.days, rng));
  }
  return series;
}

std::string SeriesCsv(const Series& series) {
  std::string csv = "client,window_start_s,rate_per_s,interarrival_cv\n";
  for (size_t c = 0; c < series.clients.size(); ++c) {
    for (size_t w = 0; w < series.window_count; ++w) {
      const Series::Window& window = series.windows[c][w];
      fmt::format_to(std::back_inserter(csv), "{},{:.0f},{:.6g},{:.4g}\n", series.clients[c],
                     static_cast<double>(w) * series.window_s, window.rate_per_s, window.interarrival_cv);
    }
  }
  return csv;
}

}  // namespace snug::simulate
