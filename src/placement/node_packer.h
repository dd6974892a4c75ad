// Places pods on nodes one after another by a NodeRule, fast: the cost of each shape of pod on each node is
// cached and only what changed since that shape's last decision is computed again. The result is the same as
// without the cache. Not thread-safe: one owner.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "placement/node_rules.h"

namespace snug::placement {

struct Spot {
  size_t node = 0;
  int card = 0;  // of a fraction
};

class NodePacker {
 public:
  // `rule` outlives the packer. Nodes with more cards than kCardsPerNodeMax are the caller's to refuse.
  NodePacker(const std::vector<NodeSpec>& nodes, const NodeRule& rule, uint64_t seed);

  // Where the pod goes, or nothing when no node can hold it. Changes nothing but the cache and the random
  // draw.
  std::optional<Spot> Find(const PodSpec& pod);
  // Carries it out. Requires that it fits there.
  void Commit(const PodSpec& pod, const Spot& spot);
  // One line: why there, and how many nodes could not hold it.
  std::string Explain(const PodSpec& pod, const Spot& spot) const;

  const std::vector<NodeLeft>& nodes() const { return nodes_; }

 private:
  static constexpr double kImpossible = std::numeric_limits<double>::infinity();
  static constexpr size_t kBlock = 64;  // nodes whose lowest cost is kept together

  struct Shape {
    std::vector<bool> models;  // card models it may run on, by number; empty: any
    std::vector<double> cost;  // per node
    std::vector<double> block_lowest;
    size_t synced = 0;  // changes of changes_ that are in `cost`
  };

  Shape& ShapeOf(const PodSpec& pod);
  std::vector<bool> AllowedModels(const PodSpec& pod) const;
  double CostOn(const NodeLeft& left, const PodSpec& pod, const std::vector<bool>& models) const;
  int BestCard(const NodeLeft& left, const PodSpec& pod) const;
  void ScoreAll(Shape& shape, const PodSpec& pod) const;
  void Sync(Shape& shape, const PodSpec& pod) const;
  void RefreshBlock(Shape& shape, size_t block) const;
  size_t LowestNode(const Shape& shape) const;
  size_t RandomNode(const Shape& shape);
  int RandomCard(const NodeLeft& left, const PodSpec& pod);

  const NodeRule& rule_;
  Rng rng_;
  std::vector<NodeLeft> nodes_;
  std::vector<std::string> model_names_;
  std::vector<uint32_t> changes_;  // nodes changed, in order
  std::map<PodSpec, Shape> shapes_;
};

}  // namespace snug::placement
