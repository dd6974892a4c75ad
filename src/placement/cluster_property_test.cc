// What PlaceOnNodes promises in its header, over random clusters and every policy.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/rng.h"
#include "placement/cluster.h"
#include "placement/node_packer.h"

namespace snug::placement {
namespace {

constexpr int kClusters = 120;
constexpr double kQuota = 2.5;

PodSpec RandomNeeds(Rng& rng) {
  PodSpec needs;
  needs.cpu_milli = static_cast<int64_t>(1000 * rng.Below(9));
  needs.memory_mib = static_cast<int64_t>(1000 * rng.Below(5));
  needs.cards = static_cast<int>(rng.Below(4));
  if (needs.cards > 0) needs.card_milli = kCardMilli;
  if (needs.cards == 1) needs.card_milli = static_cast<int>(50 * (1 + rng.Below(20)));
  needs.card_memory_mib = needs.cards > 0 ? static_cast<int32_t>(1000 * rng.Below(8)) : 0;
  if (rng.Below(4) == 0) needs.card_models = {"T4"};
  return needs;
}

Cluster RandomCluster(Rng& rng) {
  Cluster cluster;
  cluster.quota_cards["cars"] = kQuota;
  for (uint64_t n = 0, count = 1 + rng.Below(6); n < count; ++n) {
    ClusterNode node;
    node.spec = {"n" + std::to_string(n),
                 static_cast<int64_t>(8000 * (1 + rng.Below(4))),
                 24000,
                 static_cast<int>(rng.Below(5)),
                 rng.Below(2) == 0 ? "T4" : "P100",
                 16000};
    cluster.nodes.push_back(node);
  }
  for (uint64_t m = 0, count = 1 + rng.Below(12); m < count; ++m) {
    NodeWanted wanted;
    wanted.id = {"m" + std::to_string(rng.Below(8)), static_cast<int64_t>(m)};
    wanted.needs = RandomNeeds(rng);
    wanted.copies = static_cast<uint32_t>(1 + rng.Below(3));
    wanted.department = rng.Below(3) == 0 ? "cars" : "";
    wanted.spread = rng.Below(3) > 0;
    if (rng.Below(4) == 0) wanted.keep_apart = {"m" + std::to_string(rng.Below(8))};
    if (rng.Below(5) == 0) wanted.pinned_nodes = {"n" + std::to_string(rng.Below(6))};
    std::erase(wanted.keep_apart, wanted.id.model);
    cluster.wanted.push_back(wanted);
  }
  return cluster;
}

const NodeWanted& WantedOf(const Cluster& cluster, const ModelVersion& id) {
  return *std::find_if(cluster.wanted.begin(), cluster.wanted.end(), [&](auto& w) { return w.id == id; });
}

// The cluster after the plan was carried out.
Cluster CarryOut(const Cluster& cluster, const NodePlan& plan) {
  Cluster next = cluster;
  for (ClusterNode& node : next.nodes) {
    node.copies.clear();
    for (const NodeAssignment& a : plan.assignments) {
      if (a.node == node.spec.id) node.copies.push_back({a.id, WantedOf(cluster, a.id).needs, a.cards});
    }
  }
  return next;
}

void CheckNode(const Cluster& cluster, const ClusterNode& node) {
  int64_t cpu = 0, memory = 0;
  std::map<int, int> milli, card_memory;
  for (const NodeCopy& copy : node.copies) {
    cpu += copy.needs.cpu_milli;
    memory += copy.needs.memory_mib;
    ASSERT_EQ(static_cast<int>(copy.cards.size()), copy.needs.cards);
    EXPECT_EQ(std::set(copy.cards.begin(), copy.cards.end()).size(), copy.cards.size());
    for (int card : copy.cards) {
      ASSERT_LT(card, node.spec.cards);
      milli[card] += copy.needs.card_milli;
      card_memory[card] += copy.needs.card_memory_mib;
    }
    if (!copy.needs.card_models.empty()) {
      EXPECT_EQ(node.spec.card_model, "T4");
    }
    for (const NodeCopy& other : node.copies) {
      if (&other == &copy) continue;
      const NodeWanted& wanted = WantedOf(cluster, copy.id);
      bool spread = wanted.spread || WantedOf(cluster, other.id).spread;
      EXPECT_FALSE(spread && other.id.model == copy.id.model) << Name(copy.id);
      for (const std::string& apart : wanted.keep_apart) EXPECT_NE(apart, other.id.model);
    }
  }
  EXPECT_LE(cpu, node.spec.cpu_milli);
  EXPECT_LE(memory, node.spec.memory_mib);
  for (auto [card, sum] : milli) EXPECT_LE(sum, kCardMilli);
  for (auto [card, sum] : card_memory) EXPECT_LE(sum, node.spec.card_memory_mib);
}

void CheckNothingLost(const Cluster& cluster, const NodePlan& plan) {
  std::map<ModelVersion, uint32_t> found;
  double quota_used = 0;
  for (const NodeAssignment& a : plan.assignments) {
    ++found[a.id];
    EXPECT_FALSE(a.why.empty());
    const NodeWanted& wanted = WantedOf(cluster, a.id);
    if (wanted.department == "cars") quota_used += wanted.needs.DemandMilli() / 1000.0;
  }
  for (const Unplaced& u : plan.unplaced) {
    found[u.id] += u.copies;
    EXPECT_FALSE(u.why.empty());
  }
  for (const NodeWanted& wanted : cluster.wanted) EXPECT_EQ(found[wanted.id], wanted.copies);
  EXPECT_LE(quota_used, kQuota + 1e-6);
}

std::string Text(const NodePlan& plan) {
  std::string text;
  for (const auto& a : plan.assignments) text += Name(a.id) + ">" + a.node + "|" + a.why + "\n";
  for (const auto& u : plan.unplaced) text += Name(u.id) + "!" + std::to_string(u.copies) + u.why + "\n";
  return text;
}

TEST(ClusterPropertyTest, PromisesHoldForEveryPolicy) {
  for (const std::string& name : NodeRuleNames()) {
    Rng rng(21);
    for (int i = 0; i < kClusters; ++i) {
      SCOPED_TRACE(name + " cluster " + std::to_string(i));
      Cluster cluster = RandomCluster(rng);
      auto plan = PlaceOnNodes(cluster, name);
      ASSERT_TRUE(plan.ok()) << plan.status().ToString();
      CheckNothingLost(cluster, *plan);
      Cluster after = CarryOut(cluster, *plan);
      for (const ClusterNode& node : after.nodes) CheckNode(cluster, node);

      auto again = PlaceOnNodes(after, name);
      ASSERT_TRUE(again.ok());
      EXPECT_TRUE(again->removals.empty());
      for (const NodeAssignment& a : again->assignments) EXPECT_FALSE(a.is_new_copy) << Name(a.id) << a.why;

      Cluster shuffled = cluster;
      rng.Shuffle(std::span(shuffled.wanted));
      EXPECT_EQ(Text(*PlaceOnNodes(shuffled, name)), Text(*plan));

      Cluster broken = after;
      ClusterNode& failed = broken.nodes[rng.Below(broken.nodes.size())];
      failed.state = NodeState::kFailed;
      auto healed = PlaceOnNodes(broken, name);
      ASSERT_TRUE(healed.ok());
      CheckNothingLost(broken, *healed);
      for (const NodeAssignment& a : healed->assignments) EXPECT_NE(a.node, failed.spec.id);
      for (const ClusterNode& node : CarryOut(broken, *healed).nodes) CheckNode(cluster, node);
    }
  }
}

// The cheapest card of all nodes, one by one and without a cache; of equals the first.
std::optional<Spot> BruteForce(const std::vector<NodeLeft>& nodes, const std::vector<NodeSpec>& specs,
                               const PodSpec& pod, const NodeRule& rule) {
  std::optional<Spot> best;
  double lowest = 0;
  for (size_t n = 0; n < nodes.size(); ++n) {
    const auto& asked = pod.card_models;
    bool model = asked.empty() || std::find(asked.begin(), asked.end(), specs[n].card_model) != asked.end();
    if (!model || !FitsNode(nodes[n], pod)) continue;
    int cards = pod.IsFraction() ? nodes[n].cards : 1;
    for (int card = 0; card < cards; ++card) {
      if (pod.IsFraction() && !FitsCard(nodes[n], pod, card)) continue;
      double cost = rule.Cost(nodes[n], pod, card);
      if (cost == std::numeric_limits<double>::infinity() || (best && cost >= lowest)) continue;
      best = Spot{n, card};
      lowest = cost;
    }
  }
  return best;
}

TEST(ClusterPropertyTest, EveryDecisionIsTheCheapestThereIs) {
  for (const std::string& name : NodeRuleNames()) {
    if (name == "random") continue;
    Rng rng(31);
    std::vector<NodeSpec> specs;
    specs.reserve(150);
    for (int n = 0; n < 150; ++n) {
      specs.push_back({std::to_string(n), static_cast<int64_t>(8000 * (1 + rng.Below(8))), 90000,
                       static_cast<int>(rng.Below(9)), rng.Below(2) == 0 ? "T4" : "P100", 16000});
    }
    std::vector<PodSpec> kinds, pods;
    for (int i = 0; i < 30; ++i) kinds.push_back(RandomNeeds(rng));
    for (int i = 0; i < 1500; ++i) pods.push_back(kinds[rng.Below(kinds.size())]);
    Fragmentation fragmentation(pods, CardModels(specs));
    auto rule = *MakeNodeRule(name, fragmentation, specs);
    NodePacker packer(specs, *rule, 1, 10 * specs.size());  // fewer shapes cached than there are
    for (const PodSpec& pod : pods) {
      auto expected = BruteForce(packer.nodes(), specs, pod, *rule), got = packer.Find(pod);
      ASSERT_EQ(expected.has_value(), got.has_value()) << name;
      ASSERT_LE(packer.cached_shapes(), 10u);
      if (!got) continue;
      ASSERT_EQ(got->node, expected->node) << name;
      ASSERT_EQ(got->card, expected->card) << name;
      packer.Commit(pod, *got);
    }
  }
}

}  // namespace
}  // namespace snug::placement
