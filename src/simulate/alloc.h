// Replay of pods arriving on nodes (snug simulate alloc). Protocol: shuffle the list by the seed; a list that
// asks for less than `arrive` times the fleet's cards is then sampled with replacement until it does, one
// that asks for more loses pods drawn at random. Nothing departs, a pod that fits nowhere is dropped.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "placement/nodes.h"
#include "simulate/node_failure.h"

namespace snug::simulate {

inline constexpr int kCurveStepPercent = 5;
inline constexpr double kArriveMax = 100;
inline constexpr size_t kArrivalsMax = 50'000'000;

struct AllocRun {
  std::string policy;
  uint64_t seed = 0;
  // Percent of the fleet's cards, at 50, 90, 100 and 130 % of them asked for, as far as `arrive` went.
  std::map<int, double> allocated_percent;
  std::map<int, double> fragmented_percent;
  double arrived_percent = 0;  // in the end
  double decision_us_p50 = 0;
  double decision_us_p99 = 0;
  size_t pods = 0;
  size_t dropped = 0;
  // For the page: the same two figures at 0, 5, 10, … % asked for, and the part of each card given out in the
  // end.
  std::vector<double> allocated_curve, fragmented_curve;
  std::vector<float> card_use;
  std::string example;  // one more pod like the last, explained
  std::optional<NodeFailure> failure;
};

// `fail_nodes`: so many nodes fail after the last arrival. INVALID_ARGUMENT: unknown policy, no nodes with
// cards, a list that asks for no card, more nodes to fail than there are. RESOURCE_EXHAUSTED: more than
// kArrivalsMax pods would have to arrive.
Result<AllocRun> RunAlloc(const std::vector<placement::NodeSpec>& nodes,
                          const std::vector<placement::PodSpec>& pods, const std::string& policy,
                          uint64_t seed, double arrive, size_t fail_nodes = 0);

}  // namespace snug::simulate
