// Places pods on nodes one after another by a NodeRule, fast: the cost of each shape of pod on each node is
// cached and only what changed since that shape's last decision is computed again. The result is the same as
// without the cache. Not thread-safe: one owner.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "placement/node_rules.h"

namespace snug::placement {

// The cache holds at most so many costs (128 MiB), at least those of one shape; the shape that was asked for
// least recently goes first.
inline constexpr size_t kCachedCostsMax = size_t{16} << 20;

struct Spot {
  size_t node = 0;
  int card = 0;  // of a fraction
};

class NodePacker {
 public:
  // `rule` outlives the packer. Nodes with more cards than kCardsPerNodeMax are the caller's to refuse.
  NodePacker(const std::vector<NodeSpec>& nodes, const NodeRule& rule, uint64_t seed,
             size_t cached_costs_max = kCachedCostsMax);

  // Where the pod goes, or nothing when no node can hold it. `barred`: nodes out of the question for this pod
  // alone; empty: none. Changes nothing but the cache and the random draw.
  std::optional<Spot> Find(const PodSpec& pod, const std::vector<bool>& barred = {});
  // Carries it out. Requires that it fits there.
  void Commit(const PodSpec& pod, const Spot& spot);
  // What a node has left is something else from now on: pods came or went, it failed, it is back.
  void Set(size_t node, const NodeLeft& left);

  // One line: why there, what the next best would have been and why the others could not hold it. To be asked
  // before Commit.
  std::string Explain(const PodSpec& pod, const Spot& spot, const std::vector<bool>& barred = {}) const;
  // One line: why no node can hold it.
  std::string ExplainNone(const PodSpec& pod, const std::vector<bool>& barred = {}) const;

  const std::vector<NodeLeft>& nodes() const { return nodes_; }
  size_t cached_shapes() const { return shapes_.size(); }

 private:
  static constexpr double kImpossible = std::numeric_limits<double>::infinity();
  static bool Possible(double cost) { return cost != kImpossible; }
  static constexpr size_t kBlock = 64;  // nodes whose lowest cost is kept together

  struct Shape {
    std::vector<bool> models;  // card models it may run on, by number; empty: any
    std::vector<double> cost;  // per node
    std::vector<double> block_lowest;
    std::vector<ptrdiff_t> block_fits;  // nodes that could hold it; kept for a random rule alone
    size_t synced = 0;                  // changes that are in `cost`, counted from the beginning of time
    uint64_t asked = 0;
  };

  // Why nodes are passed over, for people.
  struct PassedOver {
    std::map<std::string, size_t> lacks;  // "lack CPU" → nodes
    size_t fits = 0;                      // nodes that could hold it
    size_t next = 0;                      // the best of them besides `chosen`; nodes_.size(): none
  };

  Shape& ShapeOf(const PodSpec& pod);
  void ForgetOldest();
  std::vector<bool> AllowedModels(const PodSpec& pod) const;
  double CostOn(const NodeLeft& left, const PodSpec& pod, const std::vector<bool>& models) const;
  int BestCard(const NodeLeft& left, const PodSpec& pod) const;
  void ScoreAll(Shape& shape, const PodSpec& pod) const;
  void Sync(Shape& shape, const PodSpec& pod) const;
  void RefreshBlock(Shape& shape, size_t block) const;
  void NoteChange(size_t node);
  size_t LowestNode(const Shape& shape) const;
  size_t LowestNode(const Shape& shape, const std::vector<bool>& barred) const;
  size_t RandomNode(const Shape& shape);
  size_t RandomNode(const Shape& shape, const std::vector<bool>& barred);
  int RandomCard(const NodeLeft& left, const PodSpec& pod);
  PassedOver Judge(const PodSpec& pod, size_t chosen, const std::vector<bool>& barred) const;
  std::string Where(const PodSpec& pod, size_t node, int card) const;
  std::string NextBest(const PodSpec& pod, const Spot& spot, size_t next) const;

  const NodeRule& rule_;
  Rng rng_;
  std::vector<NodeLeft> nodes_;
  std::vector<std::string> ids_;
  std::vector<std::string> model_names_;
  std::vector<uint32_t> changes_;  // nodes changed, in order, the last ones
  size_t changes_dropped_ = 0;     // before those
  size_t shapes_max_;
  uint64_t asked_ = 0;
  std::map<PodSpec, Shape> shapes_;
};

}  // namespace snug::placement
