// Fragmentation of a node against the pods that are typical for a cluster (Weng et al., "Beware of
// Fragmentation", ATC'23): for each typical pod, what is left of the cards but of no use to it; averaged over
// the pods by frequency. Everything is counted in integers (pods x milli), so that every machine gets the
// same.
#pragma once

#include <cstdint>
#include <vector>

#include "placement/nodes.h"

namespace snug::placement {

class Fragmentation {
 public:
  // `typical`: one entry a pod, so that frequent shapes count often. Memory is not looked at, as in the
  // paper.
  explicit Fragmentation(const std::vector<PodSpec>& typical);

  // Sum over the typical pods of the idle milli that the pod cannot use: all of it when the node cannot hold
  // the pod or the pod needs no card, else the cards with less left than it asks for.
  int64_t Of(const NodeLeft& left) const;
  // Typical pods counted; Of() / pods() is in milli of a card.
  int64_t pods() const { return pods_; }

 private:
  size_t CpuRow(int64_t cpu_milli) const;

  std::vector<int64_t> cpu_steps_;  // CPU demands of the typical pods, ascending
  std::vector<std::array<int32_t, kCardMilli + 1>>
      fractions_;  // [CPU row][milli]: fractions that ask no more of both
  std::vector<std::array<int32_t, kCardsPerNodeMax + 1>>
      wholes_;  // [CPU row][cards]: likewise, of whole cards
  int64_t pods_ = 0;
};

}  // namespace snug::placement
