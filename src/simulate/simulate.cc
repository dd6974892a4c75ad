#include "simulate/simulate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>

#include "placement/node_rules.h"
#include "simulate/options.h"
#include "simulate/page.h"
#include "simulate/report.h"
#include "simulate/synth.h"

namespace snug::simulate {
namespace {

struct Flags {
  std::string nodes, pods, series, policies, seeds, html, out, model_memory = "0.5:2";
  double arrive = 1.3;
  size_t nodes_times = 1, fail_nodes = 0;
  bool json = false;
  bool clip = false;
  double train_days = 7, card_capacity = 1, guaranteed = 0;
  LoadOptions load;
  QueueOptions queue;
  SynthOptions synth;
};

void Print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return ErrnoError(errno == 0 ? EIO : errno, path);
  return {};
}

struct PoliciesAndSeeds {
  std::vector<std::string> policies;
  std::vector<uint64_t> seeds;
};

Result<PoliciesAndSeeds> Chosen(const Flags& flags) {
  PoliciesAndSeeds chosen;
  SNUG_ASSIGN_OR_RETURN(chosen.policies, ParseNames(flags.policies));
  SNUG_ASSIGN_OR_RETURN(chosen.seeds, ParseSeeds(flags.seeds));
  return chosen;
}

// What each command knows besides the policies over nodes.
std::vector<std::string> PoliciesWith(std::vector<std::string> more) {
  std::vector<std::string> names = placement::NodeRuleNames();
  names.insert(names.end(), more.begin(), more.end());
  return names;
}

Status CheckChosen(const Flags& flags, const std::vector<std::string>& known) {
  SNUG_ASSIGN_OR_RETURN(PoliciesAndSeeds chosen, Chosen(flags));
  for (const std::string& policy : chosen.policies) {
    if (std::find(known.begin(), known.end(), policy) != known.end()) continue;
    return InvalidArgument("--policy: there is no policy \"{}\"; there are: {}", policy,
                           fmt::join(known, ", "));
  }
  return {};
}

template <typename Run>
Status Report(const Flags& flags, const std::vector<Run>& runs) {
  if (!flags.html.empty()) SNUG_RETURN_IF_ERROR(WriteFile(flags.html, Page(runs)));
  Print(flags.json ? Json(runs) : Table(runs));
  return {};
}

Status Alloc(const Flags& flags) {
  SNUG_ASSIGN_OR_RETURN(PoliciesAndSeeds chosen, Chosen(flags));
  SNUG_ASSIGN_OR_RETURN(auto list, ReadNodes(flags.nodes));
  SNUG_ASSIGN_OR_RETURN(auto nodes, Repeated(list, flags.nodes_times));
  SNUG_ASSIGN_OR_RETURN(auto pods, ReadPods(flags.pods));
  std::vector<AllocRun> runs;
  for (const std::string& policy : chosen.policies) {
    for (uint64_t seed : chosen.seeds) {
      SNUG_ASSIGN_OR_RETURN(AllocRun run,
                            RunAlloc(nodes, pods, policy, seed, flags.arrive, flags.fail_nodes));
      runs.push_back(std::move(run));
    }
  }
  return Report(flags, runs);
}

Status Cards(const Flags& flags) {
  SNUG_ASSIGN_OR_RETURN(PoliciesAndSeeds chosen, Chosen(flags));
  SNUG_ASSIGN_OR_RETURN(auto pods, ReadPods(flags.pods));
  SNUG_ASSIGN_OR_RETURN(auto runs, RunCards(pods, chosen.policies, chosen.seeds));
  return Report(flags, runs);
}

Result<DemandOptions> DemandFlags(const Flags& flags) {
  DemandOptions options;
  options.train_days = flags.train_days;
  options.clip = flags.clip;
  options.card_capacity = flags.card_capacity;
  options.guaranteed = flags.guaranteed;
  SNUG_ASSIGN_OR_RETURN(auto range, ParseRange(flags.model_memory));
  options.memory_gb_low = range.first;
  options.memory_gb_high = range.second;
  if (!(flags.load.card_memory_gb > 0)) return InvalidArgument("--card-memory-gb must be above 0");
  if (!(flags.card_capacity > 0 && flags.card_capacity <= 1)) {
    return InvalidArgument("--card-capacity is {}; above 0 and at most 1", flags.card_capacity);
  }
  if (!(flags.guaranteed >= 0 && flags.guaranteed <= 1)) {
    return InvalidArgument("--guaranteed is {}; from 0 to 1", flags.guaranteed);
  }
  if (!(flags.load.fleet.headroom > 0)) return InvalidArgument("--headroom must be above 0");
  return options;
}

// Calls `run` for each policy and seed, with the demand that the seed draws.
template <typename Run, typename Function>
Result<std::vector<Run>> OverSeries(const Flags& flags, Function run) {
  SNUG_ASSIGN_OR_RETURN(PoliciesAndSeeds chosen, Chosen(flags));
  SNUG_ASSIGN_OR_RETURN(DemandOptions options, DemandFlags(flags));
  SNUG_ASSIGN_OR_RETURN(Series series, ReadSeries(flags.series));
  Counts counts = DrawCounts(series);
  std::vector<Run> runs(chosen.policies.size() * chosen.seeds.size());
  for (size_t s = 0; s < chosen.seeds.size(); ++s) {
    SNUG_ASSIGN_OR_RETURN(Demand demand, MakeDemand(counts, chosen.seeds[s], options));
    for (size_t p = 0; p < chosen.policies.size(); ++p) {
      Result<Run> one = run(demand, chosen.policies[p], chosen.seeds[s]);
      if (!one.ok()) return one.status();
      runs[p * chosen.seeds.size() + s] = std::move(*one);
    }
  }
  return runs;
}

Status Load(const Flags& flags) {
  SNUG_ASSIGN_OR_RETURN(
      auto runs,
      (OverSeries<LoadRun>(flags, [&](const Demand& demand, const std::string& policy, uint64_t seed) {
        return RunLoad(demand, policy, seed, flags.load);
      })));
  return Report(flags, runs);
}

Status Queue(const Flags& flags) {
  QueueOptions options = flags.queue;
  options.load = flags.load;
  SNUG_ASSIGN_OR_RETURN(
      auto runs,
      (OverSeries<QueueRun>(flags, [&](const Demand& demand, const std::string& policy, uint64_t seed) {
        return RunQueue(demand, policy, seed, options);
      })));
  return Report(flags, runs);
}

Status Synth(const Flags& flags) {
  SNUG_ASSIGN_OR_RETURN(Series series, MakeSynth(flags.synth));
  if (!flags.html.empty()) SNUG_RETURN_IF_ERROR(WriteFile(flags.html, Page(series)));
  std::string csv = SeriesCsv(series);
  if (!flags.out.empty()) return WriteFile(flags.out, csv);
  Print(csv);
  return {};
}

void AddHtml(CLI::App& command, Flags& flags) {
  command.add_option("--html", flags.html, "Write a page with pictures to this file");
}

void AddCommon(CLI::App& command, Flags& flags, const std::string& seeds) {
  command.add_option("--policy", flags.policies, "Policies, with commas between them")->required();
  command.add_option("--seeds", flags.seeds, "Seeds: 42-51 or 1,5,9 (" + seeds + ")");
  command.add_flag("--json", flags.json, "Every figure as JSON");
  AddHtml(command, flags);
}

void AddLoadFlags(CLI::App& command, Flags& flags) {
  AddCommon(command, flags, "42-46");
  command.add_option("--series", flags.series, "Rates over time (CSV, may be gzipped)")->required();
  command.add_flag("--clip", flags.clip, "No model gets more than it asked for");
  command.add_option("--train-days", flags.train_days,
                     "Days that decide fleet and homes; the rest is replayed (7)");
  command.add_option("--headroom", flags.load.fleet.headroom,
                     "Fleet over the training peak of the sum (1.5)");
  command.add_option("--card-memory-gb", flags.load.card_memory_gb, "Memory of a card for models (22)");
  command.add_option("--model-memory-gb", flags.model_memory,
                     "Memory of a model, drawn from this range (0.5:2)");
  command.add_option("--limit", flags.load.policy_limit, "Limit of a rule that has one (fifty-percent: 0.5)");
  command.add_option("--card-capacity", flags.card_capacity,
                     "What a shared card holds: 0.85 is a tax of 15 % (1)");
  command.add_flag("--scale-in,!--no-scale-in", flags.load.scale_in,
                   "snug gives cards back that it does not need; without it its whole fleet stays on");
  command.add_flag("--repack,!--no-repack", flags.load.repack, "snug moves homes about at night (on)");
  command.add_option(
      "--guaranteed", flags.guaranteed,
      "Part of the models whose tenants pay for isolation: requests add up to a card at most (0)");
  command.add_option("--fail-minute", flags.load.fail_minute,
                     "snug's busiest card fails so late in the replay");
  command.add_option("--fail-minutes", flags.load.fail_minutes, "… for so long (60)");
}

Status CheckAlloc(const Flags& flags) {
  if (!(flags.arrive > 0 && flags.arrive <= kArriveMax)) {
    return InvalidArgument("--arrive is {}; above 0 and at most {}", flags.arrive, kArriveMax);
  }
  if (flags.nodes_times < 1 || flags.nodes_times > kNodesMax) {
    return InvalidArgument("--nodes-times is {}; from 1 to {}", flags.nodes_times, kNodesMax);
  }
  return CheckChosen(flags, PoliciesWith({}));
}

Status CheckCards(const Flags& flags) {
  return CheckChosen(flags, PoliciesWith({"one-per-card", "snug-repack"}));
}

Status CheckSeries(const Flags& flags) {
  SNUG_RETURN_IF_ERROR(DemandFlags(flags).status());
  return CheckChosen(flags, PoliciesWith({"one-per-card"}));
}

Status CheckNothing(const Flags&) {
  return {};
}

constexpr int kExitFailed = 1;
constexpr int kExitWrongFlags = 2;

int Fail(const Status& status, int code) {
  fmt::print(stderr, "snug simulate: {}\n", status.ToString());
  return code;
}

using Step = Status (*)(const Flags&);

int RunCommand(Step check, Step command, const Flags& flags) {
  if (Status status = check(flags); !status.ok()) return Fail(status, kExitWrongFlags);
  if (Status status = command(flags); !status.ok()) return Fail(status, kExitFailed);
  return 0;
}

}  // namespace

int SimulateMain(int argc, const char* const* argv) {
  CLI::App app(
      "Replays traces through the placement that the controller uses; docs/simulate.md has the formats.",
      "snug simulate");
  app.require_subcommand(1);
  Flags flags;

  CLI::App* alloc = app.add_subcommand("alloc", "Pods on nodes: how much of the cards can be given out");
  AddCommon(*alloc, flags, "42-51");
  alloc->add_option("--nodes", flags.nodes, "Nodes (CSV, may be gzipped)")->required();
  alloc->add_option("--pods", flags.pods, "Pods (CSV, may be gzipped)")->required();
  alloc->add_option("--nodes-times", flags.nodes_times, "The list of nodes so many times over (1)");
  alloc->add_option("--arrive", flags.arrive, "Cards asked for over cards there are (1.3)");
  alloc->add_option("--fail-nodes", flags.fail_nodes, "In the end so many nodes with cards fail at once (0)");

  CLI::App* cards = app.add_subcommand("cards", "Cards that the fractional pods need, against the bound");
  AddCommon(*cards, flags, "42-51");
  cards->add_option("--pods", flags.pods, "Pods (CSV, may be gzipped)")->required();

  CLI::App* load = app.add_subcommand("load", "Models over time: cards, overload, use");
  AddLoadFlags(*load, flags);

  CLI::App* queue = app.add_subcommand("queue", "Busiest and random minutes, request by request");
  AddLoadFlags(*queue, flags);
  queue->add_option("--busiest", flags.queue.busiest_minutes, "Busiest minutes (10)");
  queue->add_option("--random", flags.queue.random_minutes, "Random minutes (20)");
  queue->add_option("--service-ms", flags.queue.service_ms, "Mean time of a request on a card (10)");
  queue->add_option("--limit-ms", flags.queue.limit_ms, "Limit whose excess is counted (100)");

  CLI::App* synth = app.add_subcommand("synth", "A series of one's own, as CSV");
  synth->add_option("--models", flags.synth.models, "Models (100)");
  synth->add_option("--days", flags.synth.days, "Days (14)");
  synth->add_option("--seed", flags.synth.seed, "Seed (1)");
  synth->add_option("--out", flags.out, "File; else stdout");
  AddHtml(*synth, flags);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitWrongFlags;
  }
  if (flags.seeds.empty()) flags.seeds = *alloc || *cards ? "42-51" : "42-46";
  if (*alloc) return RunCommand(CheckAlloc, Alloc, flags);
  if (*cards) return RunCommand(CheckCards, Cards, flags);
  if (*load) return RunCommand(CheckSeries, Load, flags);
  if (*queue) return RunCommand(CheckSeries, Queue, flags);
  return RunCommand(CheckNothing, Synth, flags);
}

}  // namespace snug::simulate
