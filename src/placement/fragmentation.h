// Fragmentation of a node against the pods that are typical for a cluster (Weng et al., "Beware of
// Fragmentation", ATC'23): for each typical pod, what is left of the cards but of no use to it; averaged over
// the pods by frequency. Everything is counted in integers (pods x milli), so that every machine gets the
// same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "placement/nodes.h"

namespace snug::placement {

// Beyond these many different CPU demands the nearest are counted as the larger of them, and beyond so many
// card models asked for by name pods that ask for the others are counted as of no use to any node.
inline constexpr size_t kCpuStepsMax = 1024;
inline constexpr size_t kModelTablesMax = 32;

class Fragmentation {
 public:
  // `typical`: one entry a pod, so that frequent shapes count often. Memory is not looked at, as in the
  // paper. `card_models`: what NodeLeft::model counts; with none, pods that ask for a model fit everywhere.
  explicit Fragmentation(const std::vector<PodSpec>& typical,
                         const std::vector<std::string>& card_models = {});

  // Sum over the typical pods of the idle milli that the pod cannot use: all of it when the node cannot hold
  // the pod (its card's model included) or the pod needs no card, else the cards with less left than it asks
  // for.
  int64_t Of(const NodeLeft& left) const;
  // Typical pods counted; Of() / pods() is in milli of a card.
  int64_t pods() const { return pods_; }

 private:
  struct Table {
    // [CPU row][milli]: fractions that ask no more of both
    std::vector<std::array<int32_t, kCardMilli + 1>> fractions;
    // [CPU row][cards]: likewise, of whole cards
    std::vector<std::array<int32_t, kCardsPerNodeMax + 1>> wholes;
  };

  void FindSteps(const std::vector<PodSpec>& typical);
  size_t CpuRow(int64_t cpu_milli) const;
  size_t StepRow(int64_t cpu_milli) const;
  void Count(Table& table, const PodSpec& pod) const;
  static void Accumulate(Table& table);

  std::vector<int64_t> cpu_steps_;      // CPU demands of the typical pods, ascending
  std::vector<size_t> table_of_model_;  // models beyond it: the first table
  std::vector<Table> tables_;           // the first: pods that ask for no model
  int64_t pods_ = 0;
};

}  // namespace snug::placement
