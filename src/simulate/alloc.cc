#include "simulate/alloc.h"

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/rng.h"
#include "placement/fragmentation.h"
#include "placement/node_packer.h"

namespace snug::simulate {
namespace {

using placement::Fragmentation;
using placement::NodePacker;
using placement::NodeSpec;
using placement::PodSpec;

constexpr std::array<int, 4> kMarksPercent = {50, 90, 100, 130};

// As the published figures were made: a list that asks for more than is wanted loses pods drawn at random,
// one that asks for less is drawn from again.
Result<std::vector<const PodSpec*>> Arrivals(const std::vector<PodSpec>& pods, double milli_wanted,
                                             Rng& rng) {
  std::vector<const PodSpec*> arrivals;
  double milli = 0;
  for (const PodSpec& pod : pods) {
    arrivals.push_back(&pod);
    milli += pod.DemandMilli();
  }
  if (milli_wanted / milli * static_cast<double>(pods.size()) > static_cast<double>(kArrivalsMax)) {
    return Error(Code::kResourceExhausted,
                 "more than {} pods would have to arrive; take fewer nodes or a smaller --arrive",
                 kArrivalsMax);
  }
  rng.Shuffle(std::span(arrivals));
  while (milli < milli_wanted) {
    arrivals.push_back(&pods[rng.Below(pods.size())]);
    milli += arrivals.back()->DemandMilli();
  }
  std::vector<bool> lost(arrivals.size());
  while (milli > milli_wanted) {
    size_t n = rng.Below(arrivals.size());
    if (lost[n]) continue;
    if (milli - arrivals[n]->DemandMilli() < milli_wanted) break;
    milli -= arrivals[n]->DemandMilli();
    lost[n] = true;
  }
  size_t kept = 0;
  for (size_t n = 0; n < arrivals.size(); ++n) {
    if (!lost[n]) arrivals[kept++] = arrivals[n];
  }
  arrivals.resize(kept);
  return arrivals;
}

double Percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  auto at = values.begin() + static_cast<ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

class Replay {
 public:
  Replay(const std::vector<NodeSpec>& nodes, const Fragmentation& fragmentation,
         const placement::NodeRule& rule, uint64_t seed, bool remember)
      : packer_(nodes, rule, seed), fragmentation_(fragmentation), remember_(remember) {
    for (const NodeSpec& node : nodes)
      fleet_milli_ += node.cards * static_cast<double>(placement::kCardMilli);
  }

  double fleet_milli() const { return fleet_milli_; }
  const std::vector<StandingPod>& standing() const { return standing_; }

  void Start(AllocRun& run) { Mark(run); }

  void Arrive(const PodSpec& pod, AllocRun& run) {
    TimePoint start = SystemClock().Now();
    auto spot = packer_.Find(pod);
    times_us_.push_back(Seconds(SystemClock().Now() - start) * 1e6);
    arrived_milli_ += pod.DemandMilli();
    ++run.pods;
    if (spot) {
      if (remember_) {
        auto cards = CardsTaken(packer_.nodes()[spot->node], pod, spot->card);
        standing_.push_back({&pod, spot->node, std::move(cards)});
      }
      packer_.Commit(pod, *spot);
      allocated_milli_ += pod.DemandMilli();
    } else {
      ++run.dropped;
    }
    while (arrived_milli_ * 100 >= CurvePercent(run) * fleet_milli_) Mark(run);
  }

  void Finish(const PodSpec& last, AllocRun& run) {
    auto spot = packer_.Find(last);
    run.example = spot ? packer_.Explain(last, *spot) : packer_.ExplainNone(last);
    for (const auto& left : packer_.nodes()) {
      for (int card = 0; card < left.cards; ++card) {
        run.card_use.push_back(1 - static_cast<float>(left.card_milli[card]) / placement::kCardMilli);
      }
    }
    run.arrived_percent = 100 * arrived_milli_ / fleet_milli_;
    run.decision_us_p50 = Percentile(times_us_, 0.5);
    run.decision_us_p99 = Percentile(times_us_, 0.99);
  }

 private:
  // The next point of the curves.
  static int CurvePercent(const AllocRun& run) {
    return kCurveStepPercent * static_cast<int>(run.allocated_curve.size());
  }

  void Mark(AllocRun& run) {
    int percent = CurvePercent(run);
    double fragmented = 0;
    for (const auto& left : packer_.nodes()) fragmented += static_cast<double>(fragmentation_.Of(left));
    fragmented /= static_cast<double>(fragmentation_.pods());
    run.allocated_curve.push_back(100 * allocated_milli_ / fleet_milli_);
    run.fragmented_curve.push_back(100 * fragmented / fleet_milli_);
    if (std::find(kMarksPercent.begin(), kMarksPercent.end(), percent) == kMarksPercent.end()) return;
    run.allocated_percent[percent] = run.allocated_curve.back();
    run.fragmented_percent[percent] = run.fragmented_curve.back();
  }

  NodePacker packer_;
  const Fragmentation& fragmentation_;
  const bool remember_;
  std::vector<StandingPod> standing_;  // where `remember_`
  double fleet_milli_ = 0, arrived_milli_ = 0, allocated_milli_ = 0;
  std::vector<double> times_us_;
};

}  // namespace

Result<AllocRun> RunAlloc(const std::vector<NodeSpec>& nodes, const std::vector<PodSpec>& pods,
                          const std::string& policy, uint64_t seed, double arrive, size_t fail_nodes) {
  if (!(arrive > 0 && arrive <= kArriveMax))
    return InvalidArgument("--arrive is {}; above 0, at most {}", arrive, kArriveMax);
  Fragmentation fragmentation(pods, placement::CardModels(nodes));
  SNUG_ASSIGN_OR_RETURN(auto rule, MakeNodeRule(policy, fragmentation, nodes));
  Replay replay(nodes, fragmentation, *rule, seed, fail_nodes > 0);
  bool any = std::any_of(pods.begin(), pods.end(), [](const PodSpec& pod) { return pod.DemandMilli() > 0; });
  if (!any || replay.fleet_milli() == 0)
    return InvalidArgument("the nodes have, or the pods ask for, no cards");
  Rng rng(seed);
  AllocRun run;
  run.policy = policy;
  run.seed = seed;
  SNUG_ASSIGN_OR_RETURN(auto arrivals, Arrivals(pods, arrive * replay.fleet_milli(), rng));
  replay.Start(run);
  for (const PodSpec* pod : arrivals) replay.Arrive(*pod, run);
  replay.Finish(*arrivals.back(), run);
  if (fail_nodes > 0) {
    SNUG_ASSIGN_OR_RETURN(run.failure, FailNodes(nodes, replay.standing(), pods, policy, seed, fail_nodes));
  }
  return run;
}

}  // namespace snug::simulate
