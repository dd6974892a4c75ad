// Models on the cards of nodes: the same decision as place.h takes for groups, over CPU, memory, card models,
// shares of cards and their memory. Pure.
//
// What PlaceOnNodes promises, whatever the policy:
//  - a copy that is wanted and stands on a node that has not failed stays where it is; what a failed node
//  held
//    is placed elsewhere in the same plan;
//  - nothing is added above a node's CPU or memory, a card's share or memory, or a department's quota; card
//    models, spread, keep-apart and pins are held;
//  - the order of `wanted` is irrelevant (most cards first, then most CPU, then by name);
//  - planning again over a cluster in which the plan was carried out changes nothing;
//  - every copy is either assigned or in `unplaced`, each with one line that says why.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "placement/nodes.h"
#include "placement/place.h"

namespace snug::placement {

inline constexpr uint32_t kCopiesPerModelMax = 10'000;

struct NodeCopy {
  ModelVersion id;
  PodSpec needs;
  std::vector<int> cards;  // as many as it needs, each a number on its node
};

enum class NodeState {
  kOpen,
  kClosed,  // keeps what it has and takes nothing: being drained or updated
  kFailed,  // what it holds is lost and must be served elsewhere
};

struct ClusterNode {
  NodeSpec spec;
  NodeState state = NodeState::kOpen;
  std::vector<NodeCopy> copies;
};

struct NodeWanted {
  ModelVersion id;
  PodSpec needs;  // of each copy
  uint32_t copies = 1;
  std::string department;
  bool spread = true;                     // no two copies of the model, whatever their version, on one node
  std::vector<std::string> keep_apart;    // models that must never share a node with this one
  std::vector<std::string> pinned_nodes;  // copies go to these nodes first, and stay there
};

struct Cluster {
  std::vector<ClusterNode> nodes;  // in the order in which a rule that goes through them goes
  std::vector<NodeWanted> wanted;
  std::map<std::string, double> quota_cards;  // department → the sum of its copies' cards; absent: no limit
  std::vector<PodSpec> typical;               // what fragmentation is measured against; empty: what is wanted
};

struct NodeAssignment {
  ModelVersion id;
  std::string node;
  std::vector<int> cards;
  bool is_new_copy = false;  // false: it stands there already
  std::string why;
};

struct NodeRemoval {
  ModelVersion id;
  std::string node;
  std::vector<int> cards;
  std::string why;
};

struct NodePlan {
  std::vector<NodeAssignment> assignments;  // by model, version, then kept copies before new ones
  std::vector<NodeRemoval> removals;        // by node; copies on failed nodes are not listed
  std::vector<Unplaced> unplaced;
};

// The policies are those of PolicyNames(). INVALID_ARGUMENT when the cluster contradicts itself: a node or a
// wanted version named twice, a copy on cards that its node has not, a demand that is negative
// or mixes fractions with several cards, an unknown policy.
Result<NodePlan> PlaceOnNodes(const Cluster& cluster, std::string_view policy, uint64_t seed = 0);

}  // namespace snug::placement
