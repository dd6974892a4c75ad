#include "placement/cluster.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "placement/node_packer.h"
#include "placement/standing.h"

namespace snug::placement {
namespace {

Status CheckNeeds(const ModelVersion& id, const PodSpec& needs) {
  bool whole = needs.card_milli == kCardMilli;
  bool cards = needs.cards == 0
                   ? needs.card_milli == 0
                   : needs.cards > 0 && needs.cards <= kCardsPerNodeMax && needs.card_milli > 0 &&
                         (whole || (needs.cards == 1 && needs.card_milli < kCardMilli));
  if (!cards) {
    return InvalidArgument(
        "{} asks for {} cards with {} milli each; one card may be shared (1-1000), 2 to {} are whole",
        Name(id), needs.cards, needs.card_milli, kCardsPerNodeMax);
  }
  if (needs.cpu_milli >= 0 && needs.memory_mib >= 0 && needs.card_memory_mib >= 0) return {};
  return InvalidArgument("{} asks for less than nothing of CPU or memory", Name(id));
}

Status CheckWanted(const Cluster& cluster) {
  std::set<ModelVersion> seen;
  for (const NodeWanted& wanted : cluster.wanted) {
    if (wanted.id.model.empty()) return InvalidArgument("a wanted model has no name");
    if (!seen.insert(wanted.id).second) return InvalidArgument("{} is wanted twice", Name(wanted.id));
    if (wanted.copies > kCopiesPerModelMax) {
      return InvalidArgument("{} is wanted {} times; at most {}", Name(wanted.id), wanted.copies,
                             kCopiesPerModelMax);
    }
    SNUG_RETURN_IF_ERROR(CheckNeeds(wanted.id, wanted.needs));
  }
  return {};
}

Status CheckNode(const ClusterNode& node) {
  if (node.spec.cards < 0 || node.spec.cards > kCardsPerNodeMax) {
    return InvalidArgument("node {} has {} cards; 0 to {}", node.spec.id, node.spec.cards, kCardsPerNodeMax);
  }
  for (const NodeCopy& copy : node.copies) {
    SNUG_RETURN_IF_ERROR(CheckNeeds(copy.id, copy.needs));
    bool there = static_cast<int>(copy.cards.size()) == copy.needs.cards &&
                 std::all_of(copy.cards.begin(), copy.cards.end(),
                             [&](int card) { return card >= 0 && card < node.spec.cards; });
    if (!there) {
      return InvalidArgument("node {} holds {} on {} cards that are not among its {}; it asks for {}",
                             node.spec.id, Name(copy.id), copy.cards.size(), node.spec.cards,
                             copy.needs.cards);
    }
  }
  return {};
}

Status CheckNodes(const Cluster& cluster) {
  std::set<std::string> seen;
  for (const ClusterNode& node : cluster.nodes) {
    if (node.spec.id.empty()) return InvalidArgument("a node has no id");
    if (!seen.insert(node.spec.id).second) return InvalidArgument("node {} is there twice", node.spec.id);
    SNUG_RETURN_IF_ERROR(CheckNode(node));
  }
  return {};
}

std::vector<NodeSpec> SpecsOf(const Cluster& cluster) {
  std::vector<NodeSpec> specs;
  for (const ClusterNode& node : cluster.nodes) specs.push_back(node.spec);
  return specs;
}

std::vector<PodSpec> TypicalOf(const Cluster& cluster) {
  std::vector<PodSpec> typical = cluster.typical;
  if (!typical.empty()) return typical;
  for (const NodeWanted& wanted : cluster.wanted) typical.insert(typical.end(), wanted.copies, wanted.needs);
  return typical;
}

double CardsOf(const PodSpec& needs) {
  return static_cast<double>(needs.DemandMilli()) / kCardMilli;
}

class Planner {
 public:
  Planner(const Cluster& cluster, const NodeRule& rule, const std::vector<NodeSpec>& specs, uint64_t seed)
      : cluster_(cluster), packer_(specs, rule, seed), quotas_(cluster.quota_cards), held_(specs.size()) {}

  NodePlan Run() {
    SortWanted();
    KeepWhatStands();
    for (const NodeWanted* wanted : order_) PlaceMissing(*wanted);
    std::stable_sort(plan_.assignments.begin(), plan_.assignments.end(), [](const auto& a, const auto& b) {
      return std::tie(a.id, a.is_new_copy) < std::tie(b.id, b.is_new_copy);
    });
    return std::move(plan_);
  }

 private:
  void SortWanted() {
    for (const NodeWanted& wanted : cluster_.wanted) {
      order_.push_back(&wanted);
      by_id_[wanted.id] = &wanted;
    }
    std::sort(order_.begin(), order_.end(), [](const NodeWanted* a, const NodeWanted* b) {
      auto size = [](const NodeWanted& w) { return std::pair(-w.needs.DemandMilli(), -w.needs.cpu_milli); };
      return std::pair(size(*a), a->id) < std::pair(size(*b), b->id);
    });
  }

  void KeepWhatStands() {
    Holders holders;
    for (const ClusterNode& node : cluster_.nodes) {
      if (node.state == NodeState::kFailed) continue;
      for (const NodeCopy& copy : node.copies) holders[copy.id].push_back(node.spec.id);
    }
    StandingCopies standing(holders, [this](const ModelVersion& id) {
      auto wanted = by_id_.find(id);
      return wanted == by_id_.end() ? CopiesWanted{}
                                    : CopiesWanted{wanted->second->copies, wanted->second->pinned_nodes};
    });
    for (size_t n = 0; n < cluster_.nodes.size(); ++n) {
      const ClusterNode& node = cluster_.nodes[n];
      NodeLeft left = packer_.nodes()[n];
      left.open = node.state == NodeState::kOpen;
      for (const NodeCopy& copy : node.copies) {
        if (node.state == NodeState::kFailed) {
          lost_[copy.id].push_back(node.spec.id);
        } else if (standing.Keep(copy.id, node.spec.id)) {
          Keep(copy, n, left);
        } else {
          auto wanted = by_id_.find(copy.id);
          plan_.removals.push_back({copy.id, node.spec.id, copy.cards,
                                    WhyRemoved(wanted == by_id_.end() ? 0 : wanted->second->copies)});
        }
      }
      packer_.Set(n, left);
    }
  }

  // A node that holds more than it has, because it shrank, has nothing left.
  void Keep(const NodeCopy& copy, size_t n, NodeLeft& left) {
    left.cpu_milli -= copy.needs.cpu_milli;
    left.memory_mib -= copy.needs.memory_mib;
    for (int card : copy.cards) {
      TakeCard(left, copy.needs, card);
      left.card_milli[card] = std::max<int16_t>(left.card_milli[card], 0);
    }
    const NodeWanted& wanted = *by_id_.at(copy.id);
    Note(wanted, n);
    plan_.assignments.push_back(
        {copy.id, cluster_.nodes[n].spec.id, copy.cards, false, "stands there already"});
  }

  void Note(const NodeWanted& wanted, size_t n) {
    placed_[wanted.id] += 1;
    held_[n].push_back(&wanted);
    quotas_.Use(wanted.department, CardsOf(wanted.needs));
  }

  void PlaceMissing(const NodeWanted& wanted) {
    for (uint32_t copy = placed_[wanted.id]; copy < wanted.copies; ++copy) {
      std::string why_not;
      if (PlaceOne(wanted, why_not)) continue;
      plan_.unplaced.push_back({wanted.id, wanted.copies - copy, why_not});
      return;
    }
  }

  bool PlaceOne(const NodeWanted& wanted, std::string& why_not) {
    if (!quotas_.Allow(wanted.department, CardsOf(wanted.needs), why_not)) return false;
    std::vector<bool> barred = Barred(wanted);
    if (PlacePinned(wanted, barred, why_not)) return true;
    if (!why_not.empty()) return false;
    auto spot = packer_.Find(wanted.needs, barred);
    if (!spot) {
      why_not = packer_.ExplainNone(wanted.needs, barred);
      return false;
    }
    Assign(wanted, *spot, WasOn(wanted.id) + packer_.Explain(wanted.needs, *spot, barred));
    return true;
  }

  // The first pin that can be honoured; that none can is an answer of its own: the copy must not land
  // elsewhere unnoticed. With all pins taken by its copies, the rule decides.
  bool PlacePinned(const NodeWanted& wanted, const std::vector<bool>& barred, std::string& why_not) {
    std::vector<std::string> refusals;
    for (const std::string& id : wanted.pinned_nodes) {
      size_t n = NodeNamed(id);
      if (n == held_.size()) {
        refusals.push_back(fmt::format("to node {}, which is not there", id));
        continue;
      }
      if (Holds(n, wanted)) continue;
      auto spot = FindOn(wanted, n, barred);
      if (!spot) {
        refusals.push_back(fmt::format("to node {}, which {}", id, WhyNot(wanted, n)));
        continue;
      }
      Assign(wanted, *spot, "pinned there");
      return true;
    }
    if (!refusals.empty()) why_not = fmt::format("it is pinned {}", fmt::join(refusals, "; and "));
    return false;
  }

  std::optional<Spot> FindOn(const NodeWanted& wanted, size_t n, std::vector<bool> barred) {
    for (size_t other = 0; other < barred.size(); ++other) barred[other] = barred[other] || other != n;
    return packer_.Find(wanted.needs, barred);
  }

  std::string WhyNot(const NodeWanted& wanted, size_t n) const {
    if (Barred(wanted)[n]) return "holds a model that is kept apart from it, or another copy of it";
    Lack lack = LackOf(packer_.nodes()[n], wanted.needs);
    return std::string(lack == Lack::kNothing ? "has other cards than it asks for, or is refused by the rule"
                                              : LackText(lack, true));
  }

  size_t NodeNamed(const std::string& id) const {
    auto found = std::find_if(cluster_.nodes.begin(), cluster_.nodes.end(),
                              [&](const ClusterNode& node) { return node.spec.id == id; });
    return static_cast<size_t>(found - cluster_.nodes.begin());
  }

  bool Holds(size_t n, const NodeWanted& wanted) const {
    return std::find(held_[n].begin(), held_[n].end(), &wanted) != held_[n].end();
  }

  static bool Names(const std::vector<std::string>& models, const std::string& model) {
    return std::find(models.begin(), models.end(), model) != models.end();
  }

  // Nodes where the copy must not go because of what they hold.
  std::vector<bool> Barred(const NodeWanted& wanted) const {
    auto bars = [&](const NodeWanted* other) {
      bool spread = other->id.model == wanted.id.model && (wanted.spread || other->spread);
      return spread || Names(wanted.keep_apart, other->id.model) || Names(other->keep_apart, wanted.id.model);
    };
    std::vector<bool> barred(held_.size());
    for (size_t n = 0; n < held_.size(); ++n) barred[n] = std::any_of(held_[n].begin(), held_[n].end(), bars);
    return barred;
  }

  std::string WasOn(const ModelVersion& id) {
    auto lost = lost_.find(id);
    if (lost == lost_.end() || lost->second.empty()) return "";
    std::string node = lost->second.back();
    lost->second.pop_back();
    return fmt::format("was on node {}, which failed; ", node);
  }

  void Assign(const NodeWanted& wanted, const Spot& spot, std::string why) {
    std::vector<int> cards = CardsTaken(packer_.nodes()[spot.node], wanted.needs, spot.card);
    packer_.Commit(wanted.needs, spot);
    Note(wanted, spot.node);
    plan_.assignments.push_back(
        {wanted.id, cluster_.nodes[spot.node].spec.id, std::move(cards), true, std::move(why)});
  }

  const Cluster& cluster_;
  NodePacker packer_;
  Quotas quotas_;
  std::vector<std::vector<const NodeWanted*>> held_;  // per node, kept and new
  std::vector<const NodeWanted*> order_;
  std::map<ModelVersion, const NodeWanted*> by_id_;
  std::map<ModelVersion, uint32_t> placed_;
  std::map<ModelVersion, std::vector<std::string>> lost_;  // failed nodes that held it
  NodePlan plan_;
};

}  // namespace

Result<NodePlan> PlaceOnNodes(const Cluster& cluster, std::string_view policy, uint64_t seed) {
  SNUG_RETURN_IF_ERROR(CheckWanted(cluster));
  SNUG_RETURN_IF_ERROR(CheckNodes(cluster));
  std::vector<NodeSpec> specs = SpecsOf(cluster);
  Fragmentation fragmentation(TypicalOf(cluster), CardModels(specs));
  SNUG_ASSIGN_OR_RETURN(auto rule, MakeNodeRule(policy, fragmentation, specs));
  return Planner(cluster, *rule, specs, seed).Run();
}

}  // namespace snug::placement
