#include "simulate/page.h"

#include <fmt/format.h>

#include <algorithm>

namespace snug::simulate {
namespace {

constexpr double kWidth = 960, kHeight = 180, kCell = 4;
constexpr size_t kHeatHoursMax = 24 * 28;

constexpr std::string_view kHead =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>snug simulate load</title><style>"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#1b1f24;"
    "background:#fff}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:.25rem .7rem;text-align:right;border-bottom:1px solid #d8dee4}"
    "td:first-child,th:first-child{text-align:left}h2{margin-top:2.5rem}svg{max-width:100%;height:auto}"
    "figcaption{color:#57606a}figure{margin:1rem 0}"
    "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}td,th{border-color:#30363d}"
    "figcaption{color:#9198a1}}</style><h1>Replay of models over time</h1>";

std::string Escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Line(const std::vector<double>& values, double most, std::string_view colour, bool dashed) {
  std::string points;
  for (size_t i = 0; i < values.size(); ++i) {
    fmt::format_to(
        std::back_inserter(points), "{:.1f},{:.1f} ",
        kWidth * static_cast<double>(i) / static_cast<double>(std::max<size_t>(1, values.size() - 1)),
        kHeight - (kHeight - 10) * values[i] / most);
  }
  return fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"{} points=\"{}\"/>", colour,
                     dashed ? " stroke-dasharray=\"4 3\"" : "", points);
}

double Most(const std::vector<double>& values) {
  return values.empty() ? 1.0 : std::max(1.0, *std::max_element(values.begin(), values.end()));
}

std::string Chart(std::string_view caption, const std::string& inside, double most, double height = kHeight) {
  return fmt::format(
      "<figure><svg viewBox=\"0 0 {} {}\" role=\"img\">{}<text x=\"2\" y=\"12\" font-size=\"11\" "
      "fill=\"#57606a\">{:.0f}</text></svg><figcaption>{}</figcaption></figure>",
      kWidth, height, inside, most, caption);
}

std::string CardsChart(const LoadRun& run) {
  double most = Most(run.hourly_cards);
  return Chart(
      "Cards on, hour by hour, and (dashed) the lower bound: what the hour's highest summed load fills",
      Line(run.hourly_cards, most, "#0969da", false) + Line(run.hourly_bound, most, "#cf222e", true), most);
}

std::string BarChart(std::string_view caption, const std::vector<double>& values) {
  double most = Most(values), width = kWidth / static_cast<double>(std::max<size_t>(1, values.size()));
  std::string bars;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] <= 0) continue;
    double height = (kHeight - 15) * values[i] / most;
    fmt::format_to(std::back_inserter(bars),
                   "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"#bc4c00\"/>",
                   width * static_cast<double>(i), kHeight - height, std::max(1.0, width - 1), height);
  }
  return Chart(caption, bars, most);
}

std::string HeatMap(const LoadRun& run) {
  size_t hours = std::min(run.hourly_use.size(), kHeatHoursMax);
  if (hours == 0) return "";
  double width = kWidth / static_cast<double>(hours);
  std::string cells;
  for (size_t h = 0; h < hours; ++h) {
    for (size_t c = 0; c < run.hourly_use[h].size(); ++c) {
      double use = static_cast<double>(run.hourly_use[h][c]);
      if (use <= 0) continue;
      fmt::format_to(
          std::back_inserter(cells),
          "<rect x=\"{:.1f}\" y=\"{:.0f}\" width=\"{:.2f}\" height=\"{:.0f}\" fill=\"hsl({:.0f} 75% 50%)\"/>",
          width * static_cast<double>(h), kCell * static_cast<double>(c), width, kCell,
          130 - 130 * std::min(1.0, use));
    }
  }
  double height = kCell * static_cast<double>(run.hourly_use[0].size());
  return Chart("Use of each card (a row) by the hour: green is idle, red is full, blank is given back", cells,
               static_cast<double>(run.hourly_use[0].size()), height);
}

std::string Section(const LoadRun& run) {
  std::vector<double> loads(run.daily_loads.begin(), run.daily_loads.end());
  return fmt::format("<h2>{}, seed {}</h2>", Escape(run.policy), run.seed) + CardsChart(run) + HeatMap(run) +
         BarChart("Overloaded card-minutes, hour by hour", run.hourly_overload) +
         BarChart("Copies loaded, day by day", loads);
}

std::string Table(const std::vector<LoadRun>& runs) {
  std::string rows;
  for (const LoadRun& run : runs) {
    fmt::format_to(
        std::back_inserter(rows),
        "<tr><td>{}<td>{}<td>{}<td>{}<td>{:.4f}<td>{:.1f}<td>{:.1f}<td>{}<td>{:.0f}<td>{:.2f}</tr>",
        Escape(run.policy), run.seed, run.models, run.cards, run.overload_percent, run.mean_cards,
        run.mean_use_percent, run.lower_bound, run.loads_per_day, run.copies_per_model);
  }
  return "<table><tr><th>policy<th>seed<th>models<th>cards<th>overload %<th>mean cards<th>use %<th>lower "
         "bound"
         "<th>loads/day<th>copies/model</tr>" +
         rows + "</table>";
}

}  // namespace

std::string LoadPage(const std::vector<LoadRun>& runs) {
  std::string page(kHead);
  page += Table(runs);
  std::vector<std::string> shown;
  for (const LoadRun& run : runs) {
    // The pictures of a policy's first seed speak for the others.
    if (std::find(shown.begin(), shown.end(), run.policy) != shown.end()) continue;
    shown.push_back(run.policy);
    page += Section(run);
  }
  return page + "</html>\n";
}

}  // namespace snug::simulate
