#include "simulate/node_failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "base/rng.h"
#include "placement/cluster.h"

namespace snug::simulate {
namespace {

using placement::Cluster;
using placement::NodeSpec;
using placement::NodeState;

constexpr uint64_t kFailureStream = 0x6661696c757265;

Result<std::vector<size_t>> DrawFailed(const std::vector<NodeSpec>& nodes, uint64_t seed, size_t count) {
  std::vector<size_t> with_cards;
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (nodes[n].cards > 0) with_cards.push_back(n);
  }
  if (count > with_cards.size()) {
    return InvalidArgument("{} nodes are to fail, and {} have cards", count, with_cards.size());
  }
  Rng(seed ^ kFailureStream).Shuffle(std::span(with_cards));
  with_cards.resize(count);
  std::sort(with_cards.begin(), with_cards.end());
  return with_cards;
}

// Every pod is a model of its own, wanted once.
Cluster ClusterOf(const std::vector<NodeSpec>& nodes, const std::vector<StandingPod>& standing) {
  Cluster cluster;
  for (const NodeSpec& node : nodes) cluster.nodes.push_back({node, NodeState::kOpen, {}});
  for (size_t p = 0; p < standing.size(); ++p) {
    placement::ModelVersion id{fmt::format("pod-{}", p), 1};
    cluster.nodes[standing[p].node].copies.push_back({id, *standing[p].pod, standing[p].cards});
    placement::NodeWanted wanted;
    wanted.id = id;
    wanted.needs = *standing[p].pod;
    cluster.wanted.push_back(wanted);
  }
  return cluster;
}

double CardsOf(const placement::PodSpec& pod) {
  return static_cast<double>(pod.DemandMilli()) / placement::kCardMilli;
}

}  // namespace

Result<NodeFailure> FailNodes(const std::vector<NodeSpec>& nodes, const std::vector<StandingPod>& standing,
                              const std::vector<placement::PodSpec>& typical, std::string_view policy,
                              uint64_t seed, size_t count) {
  SNUG_ASSIGN_OR_RETURN(auto failed, DrawFailed(nodes, seed, count));
  Cluster cluster = ClusterOf(nodes, standing);
  cluster.typical = typical;
  NodeFailure result;
  std::map<placement::ModelVersion, double> lost;  // their cards
  for (size_t n : failed) {
    cluster.nodes[n].state = NodeState::kFailed;
    result.nodes.push_back(nodes[n].id);
    for (const placement::NodeCopy& copy : cluster.nodes[n].copies) {
      lost[copy.id] = CardsOf(copy.needs);
      result.cards_lost += CardsOf(copy.needs);
    }
  }
  result.pods_lost = lost.size();
  TimePoint start = SystemClock().Now();
  SNUG_ASSIGN_OR_RETURN(placement::NodePlan plan, placement::PlaceOnNodes(cluster, policy, seed));
  result.plan_ms = Seconds(SystemClock().Now() - start) * 1e3;
  result.pods_moved = plan.removals.size();
  for (const auto& unplaced : plan.unplaced) result.example = unplaced.why;
  for (const auto& assignment : plan.assignments) {
    if (!assignment.is_new_copy) continue;
    auto pod = lost.find(assignment.id);
    if (pod == lost.end()) {
      ++result.pods_moved;
      continue;
    }
    ++result.pods_placed;
    result.cards_placed += pod->second;
    result.example = assignment.why;
  }
  return result;
}

}  // namespace snug::simulate
