// The pages of the replays over time: load, queue and the series themselves.
#include <fmt/format.h>

#include <cmath>

#include "simulate/page.h"
#include "simulate/page_parts.h"

namespace snug::simulate {
namespace {

using LoadPolicy = PolicyRuns<LoadRun>;

double Days(const LoadRun& run) {
  return static_cast<double>(run.hourly_cards.size()) / 24;
}

PageTable LoadMeans(const std::vector<LoadPolicy>& policies) {
  PageTable table{{"policy", "cards", "mean on", "overload %", "load in overload %", "use %", "lower bound",
                   "loads a day", "moves a day", "copies a model"},
                  {}};
  for (const LoadPolicy& p : policies) {
    auto mean = [&](auto figure) { return p.Mean([&](const LoadRun& run) { return run.*figure; }); };
    table.rows.push_back({p.policy, fmt::format("{:.1f}", mean(&LoadRun::cards)),
                          fmt::format("{:.1f}", mean(&LoadRun::mean_cards)),
                          fmt::format("{:.4f}", mean(&LoadRun::overload_percent)),
                          fmt::format("{:.3f}", mean(&LoadRun::load_in_overload_percent)),
                          fmt::format("{:.1f}", mean(&LoadRun::mean_use_percent)),
                          fmt::format("{:.1f}", mean(&LoadRun::lower_bound)),
                          fmt::format("{:.1f}", mean(&LoadRun::loads_per_day)),
                          fmt::format("{:.1f}", mean(&LoadRun::moves_per_day)),
                          fmt::format("{:.2f}", mean(&LoadRun::copies_per_model))});
  }
  return table;
}

PageTable LoadRuns(const std::vector<LoadRun>& runs) {
  PageTable table{{"policy", "seed", "models", "cards", "mean on", "overload %", "use %", "lower bound"}, {}};
  for (const LoadRun& run : runs) {
    table.rows.push_back({run.policy, std::to_string(run.seed), std::to_string(run.models),
                          std::to_string(run.cards), fmt::format("{:.2f}", run.mean_cards),
                          fmt::format("{:.4f}", run.overload_percent),
                          fmt::format("{:.1f}", run.mean_use_percent), std::to_string(run.lower_bound)});
  }
  return table;
}

std::string LoadPictures(const LoadPolicy& p) {
  const LoadRun& run = *p.runs.front();
  Axes hours{"days of the replay", "cards", 0, Days(run)};
  std::vector<double> loads(run.daily_loads.begin(), run.daily_loads.end());
  Axes days{"days of the replay", "copies loaded", 0, Days(run)};
  Axes overload = hours, heat = hours;
  overload.y = "card-minutes";
  heat.y = "cards, one a row";
  std::vector<std::vector<float>> use = run.hourly_use;
  for (size_t h = 0; h < use.size(); ++h) {
    for (float& part : use[h]) part = part > 0 ? part : -1;
  }
  return LineChart("Cards over time",
                   "Cards that were on, against the lower bound: what the hour's highest summed load fills.",
                   hours,
                   {{"cards on", run.hourly_cards, p.colour, false, true},
                    {"lower bound", run.hourly_bound, kSeriesColours - 1, true, true}}) +
         HeatMap("Use of each card", "Mean use in each hour.", heat, use, "idle or given back") +
         ColumnChart("Overload", "Minutes in which a card was asked for more than it has, hour by hour.",
                     overload, run.hourly_overload, 3) +
         ColumnChart("Loads a day", "Models loaded on a card: copies made where they were needed, and moves.",
                     days, loads, p.colour);
}

std::vector<Tile> LoadTiles(const std::vector<LoadPolicy>& policies) {
  const LoadPolicy& best = policies.back();
  auto cards = [](const LoadRun& run) { return run.cards; };
  std::vector<Tile> tiles = {
      {fmt::format("{:.1f}", best.Mean(cards)), "cards for " + best.policy},
      {fmt::format("{:.4f} %", best.Mean([](const LoadRun& run) { return run.overload_percent; })),
       "of its card-minutes in overload"},
      {fmt::format("{:.1f} %", best.Mean([](const LoadRun& run) { return run.mean_use_percent; })),
       "mean use of a card"}};
  for (const LoadPolicy& other : policies) {
    if (other.policy == best.policy) continue;
    double fewer = 100 * (1 - best.Mean(cards) / other.Mean(cards));
    tiles.push_back({fmt::format("{:+.1f} %", -fewer), "cards against " + other.policy});
  }
  return tiles;
}

std::vector<Range> Ranges(const std::vector<PolicyRuns<QueueRun>>& policies, Latencies QueueRun::*part) {
  std::vector<Range> ranges;
  for (const auto& p : policies) {
    auto mean = [&](double Latencies::*figure) {
      return p.Mean([&](const QueueRun& run) { return run.*part.*figure; });
    };
    ranges.push_back({p.policy,
                      {mean(&Latencies::p50_ms), mean(&Latencies::p99_ms), mean(&Latencies::p999_ms)},
                      p.colour});
  }
  return ranges;
}

PageTable QueueMeans(const std::vector<PolicyRuns<QueueRun>>& policies) {
  PageTable table{{"policy", "cards", "busiest: p50 ms", "p99 ms", "p99.9 ms", "above the limit %",
                   "random: p50 ms", "p99 ms", "p99.9 ms", "above the limit %"},
                  {}};
  for (const auto& p : policies) {
    std::vector<std::string> row = {
        p.policy, fmt::format("{:.1f}", p.Mean([](const QueueRun& run) { return run.cards; }))};
    for (auto part : {&QueueRun::busiest, &QueueRun::random}) {
      for (auto figure :
           {&Latencies::p50_ms, &Latencies::p99_ms, &Latencies::p999_ms, &Latencies::above_limit_percent}) {
        double mean = p.Mean([&](const QueueRun& run) { return run.*part.*figure; });
        row.push_back(fmt::format("{:.{}f}", mean, figure == &Latencies::above_limit_percent ? 3 : 1));
      }
    }
    table.rows.push_back(row);
  }
  return table;
}

}  // namespace

std::string Page(const std::vector<LoadRun>& runs) {
  auto policies = ByPolicy(runs);
  std::vector<Bar> bars;
  bars.reserve(policies.size());
  for (const LoadPolicy& p : policies) {
    bars.push_back({p.policy, p.Mean([](const LoadRun& run) { return run.cards; }), p.colour});
  }
  double bound = policies.front().Mean([](const LoadRun& run) { return run.lower_bound; });
  std::string body = Section(
      "The policies beside each other",
      BarChart("Cards needed", "The fleet of each policy; the line is the highest summed load of any minute.",
               bars, bound, "lower bound") +
          TableHtml(LoadMeans(policies)) + FoldedTable("Every run", LoadRuns(runs)));
  for (const LoadPolicy& p : policies) {
    body += Section(fmt::format("{}, seed {}", p.policy, p.runs.front()->seed), LoadPictures(p));
  }
  return WholePage("Models over time",
                   fmt::format("{} models, {:.1f} days replayed, {}", runs.front().models, Days(runs.front()),
                               Seeds(runs)),
                   LoadTiles(policies), body);
}

std::string Page(const std::vector<QueueRun>& runs) {
  auto policies = ByPolicy(runs);
  std::vector<std::string> marks = {"p50", "p99", "p99.9"};
  std::string how = "Each policy's p50, p99 and p99.9, from the smallest dot to the largest.";
  std::string body = Section("The busiest minutes", RangeChart("Time of a request", how, "milliseconds",
                                                               marks, Ranges(policies, &QueueRun::busiest))) +
                     Section("Random minutes", RangeChart("Time of a request", how, "milliseconds", marks,
                                                          Ranges(policies, &QueueRun::random))) +
                     Section("Figures", TableHtml(QueueMeans(policies)));
  std::vector<Tile> tiles;
  for (const auto& p : policies) {
    double p99 = p.Mean([](const QueueRun& run) { return run.busiest.p99_ms; });
    tiles.push_back({fmt::format("{:.1f} ms", p99), "p99 in the busiest minutes: " + p.policy});
  }
  return WholePage("Minutes, request by request", Seeds(runs), tiles, body);
}

std::string Page(const Series& series) {
  constexpr size_t kModelsShownMax = 60;
  std::vector<double> sums(series.window_count);
  size_t shown = std::min(kModelsShownMax, series.clients.size());
  size_t hour = std::max<size_t>(1, static_cast<size_t>(std::lround(3600 / series.window_s)));
  std::vector<std::vector<float>> cells((series.window_count + hour - 1) / hour, std::vector<float>(shown));
  double most = 0;
  for (size_t m = 0; m < series.clients.size(); ++m) {
    float peak = 0;
    for (const auto& window : series.windows[m]) peak = std::max(peak, window.rate_per_s);
    for (size_t w = 0; w < series.window_count; ++w) {
      sums[w] += static_cast<double>(series.windows[m][w].rate_per_s);
      most = std::max(most, sums[w]);
      if (m < shown && peak > 0) {
        cells[w / hour][m] = std::max(cells[w / hour][m], series.windows[m][w].rate_per_s / peak);
      }
    }
  }
  double days = static_cast<double>(series.window_count) * series.window_s / 86400;
  Axes axes{"days", "requests a second", 0, days}, models{"days", "models, one a row", 0, days};
  std::string body =
      Section("The series",
              LineChart("Requests of all models", "Summed rate of each window.", axes, {{"", sums, 0}}) +
                  HeatMap("When each model is busy",
                          fmt::format("Each hour's highest rate as a part of the model's own peak; the "
                                      "first {} models.",
                                      shown),
                          models, cells));
  return WholePage("A series of models' rates",
                   fmt::format("{} models, {:.1f} days, windows of {:.0f} s", series.clients.size(), days,
                               series.window_s),
                   {{std::to_string(series.clients.size()), "models"},
                    {fmt::format("{:.1f}", days), "days"},
                    {fmt::format("{:.1f}", most), "requests a second at the peak"}},
                   body);
}

}  // namespace snug::simulate
