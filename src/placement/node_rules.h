// The policies over nodes: what a pod on a node (and card) would cost; lower is better.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "placement/fragmentation.h"
#include "placement/nodes.h"

namespace snug::placement {

// The choice of a card within the node goes by the same cost; of equals the first.
class NodeRule {
 public:
  virtual ~NodeRule() = default;
  // Requires that the pod fits. `card` matters for fractions alone.
  virtual double Cost(const NodeLeft& left, const PodSpec& pod, int card) const = 0;
  // What the cost means, for people, as a sentence whose subject is the node: "would have 3.0 cores left".
  virtual std::string Explain(const NodeLeft& left, const PodSpec& pod, int card) const = 0;
  // Whether every node that fits is as good as another and the seed decides.
  virtual bool IsRandom() const { return false; }
};

// random, first-fit, best-fit, dot-product, fifty-percent, fgd, snug. `fragmentation` outlives the rule.
Result<std::unique_ptr<NodeRule>> MakeNodeRule(std::string_view name, const Fragmentation& fragmentation,
                                               const std::vector<NodeSpec>& nodes);
std::vector<std::string> NodeRuleNames();

}  // namespace snug::placement
