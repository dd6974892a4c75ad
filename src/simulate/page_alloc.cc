// The pages of the replays by request alone: alloc and cards.
#include <fmt/format.h>

#include <cmath>

#include "simulate/page.h"
#include "simulate/page_parts.h"

namespace snug::simulate {
namespace {

constexpr size_t kFleetRows = 40;  // of the picture of all cards

using AllocPolicy = PolicyRuns<AllocRun>;

std::vector<double> MeanCurve(const AllocPolicy& p, std::vector<double> AllocRun::*curve) {
  std::vector<double> mean = p.runs.front()->*curve;
  for (size_t i = 0; i < mean.size(); ++i) {
    mean[i] = p.Mean([&](const AllocRun& run) { return (run.*curve)[i]; });
  }
  return mean;
}

// A curve from where it becomes interesting.
std::vector<double> From(const std::vector<double>& curve, double percent) {
  size_t skip = std::min(curve.size() - 1, static_cast<size_t>(percent / kCurveStepPercent));
  return {curve.begin() + static_cast<ptrdiff_t>(skip), curve.end()};
}

std::string AtMark(const AllocPolicy& p, std::map<int, double> AllocRun::*figure, int mark) {
  if (!(p.runs.front()->*figure).contains(mark)) return "-";
  return fmt::format("{:.2f}", p.Mean([&](const AllocRun& run) { return (run.*figure).at(mark); }));
}

PageTable AllocMeans(const std::vector<AllocPolicy>& policies) {
  PageTable table{{"policy", "allocated % at 50 %", "at 90 %", "at 100 %", "at 130 %",
                   "fragmented % at 130 %", "decision p50 us", "p99 us"},
                  {}};
  for (const AllocPolicy& p : policies) {
    std::vector<std::string> row = {p.policy};
    for (int mark : {50, 90, 100, 130}) row.push_back(AtMark(p, &AllocRun::allocated_percent, mark));
    row.push_back(AtMark(p, &AllocRun::fragmented_percent, 130));
    row.push_back(fmt::format("{:.2f}", p.Mean([](const AllocRun& run) { return run.decision_us_p50; })));
    row.push_back(fmt::format("{:.1f}", p.Mean([](const AllocRun& run) { return run.decision_us_p99; })));
    table.rows.push_back(row);
  }
  return table;
}

// What the same plan found elsewhere for the pods of nodes that failed; empty where none was to.
std::string FailureSection(const std::vector<AllocPolicy>& policies) {
  if (!policies.front().runs.front()->failure) return "";
  PageTable table{{"policy", "pods lost", "cards lost", "pods placed elsewhere", "cards", "others moved"},
                  {}};
  for (const AllocPolicy& p : policies) {
    auto mean = [&](auto figure) {
      return p.Mean([&](const AllocRun& run) { return (*run.failure).*figure; });
    };
    table.rows.push_back({p.policy, fmt::format("{:.1f}", mean(&NodeFailure::pods_lost)),
                          fmt::format("{:.2f}", mean(&NodeFailure::cards_lost)),
                          fmt::format("{:.1f}", mean(&NodeFailure::pods_placed)),
                          fmt::format("{:.2f}", mean(&NodeFailure::cards_placed)),
                          fmt::format("{:.1f}", mean(&NodeFailure::pods_moved))});
  }
  size_t failed = policies.front().runs.front()->failure->nodes.size();
  return Section(fmt::format("In the end {} nodes fail", failed), TableHtml(table));
}

// All cards of the fleet in the nodes' order, downwards and then to the right.
std::vector<std::vector<float>> FleetCells(const std::vector<float>& card_use) {
  std::vector<std::vector<float>> cells;
  for (size_t c = 0; c < card_use.size(); ++c) {
    if (c % kFleetRows == 0) cells.emplace_back();
    cells.back().push_back(card_use[c]);
  }
  return cells;
}

std::string AllocPictures(const AllocPolicy& p) {
  const AllocRun& run = *p.runs.front();
  Axes axes{"cards, in the nodes' order downwards and to the right", "", 0,
            static_cast<double>(run.card_use.size())};
  return HeatMap("Use of each card", "What of each card is given out in the end.", axes,
                 FleetCells(run.card_use));
}

PageTable CardsMeans(const std::vector<PolicyRuns<CardsRun>>& policies) {
  PageTable table{{"policy", "cards", "above the bound %", "after a repack", "above the bound %", "moves"},
                  {}};
  for (const auto& p : policies) {
    auto mean = [&](auto figure) { return p.Mean([&](const CardsRun& run) { return run.*figure; }); };
    table.rows.push_back({p.policy, fmt::format("{:.1f}", mean(&CardsRun::cards)),
                          fmt::format("{:.2f}", mean(&CardsRun::gap_percent)),
                          fmt::format("{:.1f}", mean(&CardsRun::repacked_cards)),
                          fmt::format("{:.2f}", mean(&CardsRun::repacked_gap_percent)),
                          fmt::format("{:.0f}", mean(&CardsRun::repack_moves))});
  }
  return table;
}

}  // namespace

std::string Page(const std::vector<AllocRun>& runs) {
  auto policies = ByPolicy(runs);
  double arrived = runs.front().arrived_percent;
  std::vector<Line> allocated, fragmented;
  std::vector<Tile> tiles;
  std::string pictures;
  for (const AllocPolicy& p : policies) {
    allocated.push_back({p.policy, MeanCurve(p, &AllocRun::allocated_curve), p.colour});
    fragmented.push_back({p.policy, MeanCurve(p, &AllocRun::fragmented_curve), p.colour});
    tiles.push_back(
        {fmt::format("{:.2f} %", allocated.back().values.back()), "of cards given out by " + p.policy});
    pictures += Section(fmt::format("{}, seed {}", p.policy, p.runs.front()->seed), AllocPictures(p));
  }
  double last = kCurveStepPercent * static_cast<double>(allocated.front().values.size() - 1);
  Line all{"all that arrived, as far as there are cards", {}, kSeriesColours - 1, true};
  for (double percent = 0; percent <= last; percent += kCurveStepPercent) {
    all.values.push_back(std::min(percent, 100.0));
  }
  allocated.push_back(all);
  double first = last > 100 ? 70 : 0;
  for (Line& line : allocated) line.values = From(line.values, first);
  Axes whole{"cards asked for, % of the fleet", "cards given out, %", first, last, first, 100};
  Axes lost{"cards asked for, % of the fleet", "fragmented, %", 0, last};
  std::string body = Section(
      "The policies beside each other",
      LineChart("Cards given out", "As pods arrive and none leaves; the higher, the less is lost.", whole,
                allocated) +
          LineChart("Cards of no use",
                    "What is left of cards but of no use to the list's own pods, on average over them.", lost,
                    fragmented) +
          TableHtml(AllocMeans(policies)));
  return WholePage("Pods on nodes",
                   fmt::format("{} cards, pods for {:.0f} % of them arrive, {}", runs.front().card_use.size(),
                               arrived, Seeds(runs)),
                   tiles, body + FailureSection(policies) + pictures);
}

std::string Page(const std::vector<CardsRun>& runs) {
  auto policies = ByPolicy(runs);
  double bound = runs.front().lp_bound;
  std::vector<Bar> bars;
  std::vector<Tile> tiles;
  std::string pictures;
  for (const auto& p : policies) {
    double cards = p.Mean([](const CardsRun& run) { return run.cards; });
    bars.push_back({p.policy, cards, p.colour});
    tiles.push_back({fmt::format("+{:.2f} %", 100 * (cards / bound - 1)), "above the bound: " + p.policy});
    const CardsRun& run = *p.runs.front();
    std::vector<double> filled(run.cards_by_fill.begin(), run.cards_by_fill.end());
    Axes axes{"how full, %", "cards", 0, 100};
    pictures += ColumnChart(fmt::format("{}, seed {}: cards by how full they are", p.policy, run.seed),
                            "The further to the right, the less is lost.", axes, filled, p.colour);
  }
  std::string body =
      Section(
          "The policies beside each other",
          BarChart("Cards needed", "No packing needs fewer cards than the linear program's bound, the line.",
                   bars, bound, fmt::format("bound {:.1f}", bound)) +
              TableHtml(CardsMeans(policies))) +
      Section("How full the cards are", pictures);
  return WholePage(
      "Fractions on cards",
      fmt::format("{} fractions of cards, bound {:.2f}, {}", runs.front().pods, bound, Seeds(runs)), tiles,
      body);
}

}  // namespace snug::simulate
