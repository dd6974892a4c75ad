#include "simulate/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace snug::simulate {
namespace {

using nlohmann::ordered_json;

ordered_json ByMark(const std::map<int, double>& values) {
  ordered_json object = ordered_json::object();
  for (auto [mark, value] : values) object[std::to_string(mark)] = value;
  return object;
}

ordered_json ToJson(const NodeFailure& failure) {
  return {{"nodes", failure.nodes},
          {"pods_lost", failure.pods_lost},
          {"pods_placed", failure.pods_placed},
          {"pods_moved", failure.pods_moved},
          {"cards_lost", failure.cards_lost},
          {"cards_placed", failure.cards_placed},
          {"plan_ms", failure.plan_ms},
          {"example", failure.example}};
}

ordered_json ToJson(const AllocRun& run) {
  ordered_json object = {{"policy", run.policy},
                         {"seed", run.seed},
                         {"allocated_percent", ByMark(run.allocated_percent)},
                         {"fragmented_percent", ByMark(run.fragmented_percent)},
                         {"decision_us", {{"p50", run.decision_us_p50}, {"p99", run.decision_us_p99}}},
                         {"arrived_percent", run.arrived_percent},
                         {"pods", run.pods},
                         {"dropped", run.dropped},
                         {"example", run.example}};
  if (run.failure) object["failure"] = ToJson(*run.failure);
  return object;
}

ordered_json ToJson(const CardsRun& run) {
  return {{"policy", run.policy},
          {"seed", run.seed},
          {"cards", run.cards},
          {"lp_bound", run.lp_bound},
          {"gap_percent", run.gap_percent},
          {"pods", run.pods},
          {"repacked_cards", run.repacked_cards},
          {"repacked_gap_percent", run.repacked_gap_percent},
          {"repack_moves", run.repack_moves}};
}

ordered_json ToJson(const LoadRun& run) {
  return {{"policy", run.policy},
          {"seed", run.seed},
          {"models", run.models},
          {"cards", run.cards},
          {"overload_percent", run.overload_percent},
          {"load_in_overload_percent", run.load_in_overload_percent},
          {"mean_cards", run.mean_cards},
          {"mean_use_percent", run.mean_use_percent},
          {"lower_bound", run.lower_bound},
          {"lower_bound_ratio",
           static_cast<double>(run.cards) / static_cast<double>(std::max<size_t>(1, run.lower_bound))},
          {"lower_bound_hourly", run.lower_bound_hourly},
          {"loads_per_day", run.loads_per_day},
          {"moves_per_day", run.moves_per_day},
          {"copies_per_model", run.copies_per_model},
          {"unserved_percent", run.unserved_percent},
          {"unplaced", run.unplaced},
          {"planning_us_max", run.planning_us_max}};
}

ordered_json ToJson(const Latencies& l) {
  return {{"requests", l.requests},
          {"p50_ms", l.p50_ms},
          {"p99_ms", l.p99_ms},
          {"p999_ms", l.p999_ms},
          {"above_limit_percent", l.above_limit_percent}};
}

ordered_json ToJson(const QueueRun& run) {
  ordered_json object = {{"policy", run.policy}, {"seed", run.seed}, {"cards", run.cards}};
  object.update(ToJson(run.busiest));
  object["random_minutes"] = ToJson(run.random);
  return object;
}

template <typename Run>
std::string RunsJson(const std::vector<Run>& runs) {
  ordered_json list = ordered_json::array();
  for (const Run& run : runs) list.push_back(ToJson(run));
  return ordered_json{{"runs", list}}.dump(1) + "\n";
}

// A mark that `--arrive` did not reach has no figure.
std::string AtMark(const std::map<int, double>& values, int mark) {
  auto found = values.find(mark);
  return found == values.end() ? "-" : fmt::format("{:.2f}", found->second);
}

}  // namespace

std::string Json(const std::vector<AllocRun>& runs) {
  return RunsJson(runs);
}
std::string Json(const std::vector<CardsRun>& runs) {
  return RunsJson(runs);
}
std::string Json(const std::vector<LoadRun>& runs) {
  return RunsJson(runs);
}
std::string Json(const std::vector<QueueRun>& runs) {
  return RunsJson(runs);
}

namespace {

// Empty where no node was to fail.
std::string FailureTable(const std::vector<AllocRun>& runs) {
  if (runs.empty() || !runs.front().failure) return "";
  std::string text = fmt::format("\n{} nodes failed\n{:<14} {:>5} {:>9} {:>10} {:>11} {:>12} {:>6} {:>8}\n",
                                 runs.front().failure->nodes.size(), "policy", "seed", "pods lost",
                                 "cards lost", "pods placed", "cards placed", "moved", "plan ms");
  for (const AllocRun& run : runs) {
    const NodeFailure& failure = *run.failure;
    text += fmt::format("{:<14} {:>5} {:>9} {:>10.2f} {:>11} {:>12.2f} {:>6} {:>8.1f}\n", run.policy,
                        run.seed, failure.pods_lost, failure.cards_lost, failure.pods_placed,
                        failure.cards_placed, failure.pods_moved, failure.plan_ms);
  }
  return text + "the last of the lost pods: " + runs.back().failure->example + "\n";
}

}  // namespace

std::string Table(const std::vector<AllocRun>& runs) {
  std::string text = fmt::format("{:<14} {:>5} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}\n", "policy", "seed",
                                 "@50 %", "@90 %", "@100 %", "@130 %", "frag@130", "p50 us", "p99 us");
  for (const AllocRun& run : runs) {
    text += fmt::format("{:<14} {:>5} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9.2f} {:>9.1f}\n", run.policy,
                        run.seed, AtMark(run.allocated_percent, 50), AtMark(run.allocated_percent, 90),
                        AtMark(run.allocated_percent, 100), AtMark(run.allocated_percent, 130),
                        AtMark(run.fragmented_percent, 130), run.decision_us_p50, run.decision_us_p99);
  }
  if (!runs.empty()) text += "one more pod like the last: " + runs.back().example + "\n";
  text += FailureTable(runs);
  return text;
}

std::string Table(const std::vector<CardsRun>& runs) {
  std::string text = fmt::format("{:<14} {:>5} {:>7} {:>7} {:>10} {:>8} {:>9} {:>8} {:>7}\n", "policy",
                                 "seed", "pods", "cards", "LP bound", "gap %", "repacked", "gap %", "moves");
  for (const CardsRun& run : runs) {
    text += fmt::format("{:<14} {:>5} {:>7} {:>7} {:>10.2f} {:>8.2f} {:>9} {:>8.2f} {:>7}\n", run.policy,
                        run.seed, run.pods, run.cards, run.lp_bound, run.gap_percent, run.repacked_cards,
                        run.repacked_gap_percent, run.repack_moves);
  }
  return text;
}

std::string Table(const std::vector<LoadRun>& runs) {
  std::string text =
      fmt::format("{:<14} {:>5} {:>7} {:>6} {:>11} {:>11} {:>7} {:>6} {:>6} {:>7} {:>9} {:>9} {:>7}\n",
                  "policy", "seed", "models", "cards", "overload %", "load in it", "mean", "use %", "bound",
                  "hourly", "loads/day", "moves/day", "copies");
  for (const LoadRun& run : runs) {
    text += fmt::format(
        "{:<14} {:>5} {:>7} {:>6} {:>11.4f} {:>11.3f} {:>7.2f} {:>6.1f} {:>6} {:>7.2f} {:>9.1f} {:>9.1f} "
        "{:>7.2f}\n",
        run.policy, run.seed, run.models, run.cards, run.overload_percent, run.load_in_overload_percent,
        run.mean_cards, run.mean_use_percent, run.lower_bound, run.lower_bound_hourly, run.loads_per_day,
        run.moves_per_day, run.copies_per_model);
  }
  return text;
}

std::string Table(const std::vector<QueueRun>& runs) {
  std::string text = fmt::format("{:<14} {:>5} {:>6}  {:>36}   {:>36}\n{:<14} {:>5} {:>6}", "", "", "",
                                 "busiest minutes", "random minutes", "policy", "seed", "cards");
  std::string columns = fmt::format("  {:>8} {:>8} {:>9} {:>8}", "p50 ms", "p99 ms", "p99.9 ms", "above %");
  text += columns + " " + columns + "\n";
  auto part = [](const Latencies& l) {
    return fmt::format("  {:>8.1f} {:>8.1f} {:>9.1f} {:>8.3f}", l.p50_ms, l.p99_ms, l.p999_ms,
                       l.above_limit_percent);
  };
  for (const QueueRun& run : runs) {
    text += fmt::format("{:<14} {:>5} {:>6}", run.policy, run.seed, run.cards) + part(run.busiest) + " " +
            part(run.random) + "\n";
  }
  return text;
}

}  // namespace snug::simulate
