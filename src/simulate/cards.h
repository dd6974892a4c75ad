// How many cards the fractions of a pod list need (snug simulate cards): arriving in an order drawn by the
// seed, placed by request alone, none leaves.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "placement/nodes.h"

namespace snug::simulate {

struct CardsRun {
  std::string policy;
  uint64_t seed = 0;
  size_t pods = 0;
  size_t cards = 0;
  double lp_bound = 0;  // no packing needs fewer
  double gap_percent = 0;
  size_t repacked_cards = 0;  // after a nightly repack of what the policy left
  double repacked_gap_percent = 0;
  size_t repack_moves = 0;
  std::vector<size_t> cards_by_fill;  // cards filled by so many twentieths, the full ones with the last
};

// one-per-card, random, first-fit, best-fit, dot-product, fifty-percent, fgd, snug; and snug-repack, whose
// `cards` are those after the repack.
Result<std::vector<CardsRun>> RunCards(const std::vector<placement::PodSpec>& pods,
                                       const std::vector<std::string>& policies,
                                       const std::vector<uint64_t>& seeds);

}  // namespace snug::simulate
