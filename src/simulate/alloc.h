// Replay of pods arriving on nodes (snug simulate alloc). Protocol: shuffle the list by the seed, then sample
// it with replacement until the cards asked for reach `arrive` times the fleet's; nothing departs, a pod that
// fits nowhere is dropped.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "placement/nodes.h"

namespace snug::simulate {

struct AllocRun {
  std::string policy;
  uint64_t seed = 0;
  // Percent of the fleet's cards, at 50, 90, 100 and 130 % of them asked for, as far as `arrive` went.
  std::map<int, double> allocated_percent;
  std::map<int, double> fragmented_percent;
  double decision_us_p50 = 0;
  double decision_us_p99 = 0;
  size_t pods = 0;
  size_t dropped = 0;
  std::string example;  // one more pod like the last, explained
};

// INVALID_ARGUMENT: unknown policy, no nodes with cards, a list that asks for no card.
Result<AllocRun> RunAlloc(const std::vector<placement::NodeSpec>& nodes,
                          const std::vector<placement::PodSpec>& pods, const std::string& policy,
                          uint64_t seed, double arrive);

}  // namespace snug::simulate
