// What becomes of pods whose nodes fail: the plan that placement makes over all nodes as a replay left them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "placement/nodes.h"

namespace snug::simulate {

// A pod where the replay placed it.
struct StandingPod {
  const placement::PodSpec* pod = nullptr;
  size_t node = 0;
  std::vector<int> cards;  // of the node
};

struct NodeFailure {
  std::vector<std::string> nodes;  // that failed
  size_t pods_lost = 0;            // that stood there
  size_t pods_placed = 0;          // of them, elsewhere by the same plan
  size_t pods_moved = 0;           // of the others: none, by placement's promise
  double cards_lost = 0;           // that the lost pods had
  double cards_placed = 0;
  double plan_ms = 0;   // wall time of the one plan for all of them
  std::string example;  // why the last of the lost pods went where it went, or nowhere
};

// `count` nodes with cards, drawn by the seed, fail at once. `typical`: what fragmentation is measured
// against. INVALID_ARGUMENT: an unknown policy, or more nodes than there are with cards.
Result<NodeFailure> FailNodes(const std::vector<placement::NodeSpec>& nodes,
                              const std::vector<StandingPod>& standing,
                              const std::vector<placement::PodSpec>& typical, std::string_view policy,
                              uint64_t seed, size_t count);

}  // namespace snug::simulate
