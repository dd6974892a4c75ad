#include "placement/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "placement/node_rules.h"

namespace snug::placement {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int64_t kPlenty = 1'000'000;

ClusterNode Node(const std::string& id, int cards, const std::string& model = "T4") {
  ClusterNode node;
  node.spec = {id, kPlenty, kPlenty, cards, model};
  return node;
}

NodeWanted Want(const std::string& model, int milli, uint32_t copies = 1, int64_t version = 1) {
  NodeWanted wanted;
  wanted.id = {model, version};
  wanted.needs = {1000, 1000, 1, milli, {}};
  wanted.copies = copies;
  return wanted;
}

NodePlan MustPlace(const Cluster& cluster, const std::string& policy = "first-fit") {
  auto plan = PlaceOnNodes(cluster, policy);
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  return plan.ok() ? *plan : NodePlan{};
}

TEST(ClusterTest, ADecisionExplainsItselfAndWhyNotTheOthers) {
  Cluster cluster;
  cluster.nodes = {Node("a", 1), Node("b", 1), Node("c", 2), Node("d", 2)};
  cluster.nodes[0].spec.cpu_milli = 500;
  cluster.nodes[1].spec.memory_mib = 500;
  cluster.wanted = {Want("ocr", 400)};
  EXPECT_EQ(
      MustPlace(cluster).assignments[0].why,
      "node c, card 0: has room; the next best of 2 that fit, node d, card 0, is as good and comes later; "
      "1 lacks CPU; 1 lacks memory");
  EXPECT_EQ(MustPlace(cluster, "random").assignments[0].why.substr(8),
            "card 0: is drawn at random from 2 that fit; 1 lacks CPU; 1 lacks memory");
  cluster.nodes.resize(3);
  EXPECT_EQ(MustPlace(cluster, "best-fit").assignments[0].why,
            "node c, card 0: would have 999.0 cores and 1.60 cards left; no other fits; 1 lacks CPU; "
            "1 lacks memory");
  cluster.nodes.resize(2);
  EXPECT_EQ(MustPlace(cluster).unplaced[0].why, "no node can hold it: 1 lacks CPU, 1 lacks memory");
  cluster.nodes.clear();
  EXPECT_EQ(MustPlace(cluster).unplaced[0].why, "there is no node");
}

TEST(ClusterTest, SnugSaysWhatItWeighs) {
  Cluster cluster;
  cluster.nodes = {Node("a", 1), Node("b", 2)};
  cluster.nodes[0].spec.cpu_milli = 14000;
  cluster.nodes[1].spec.cpu_milli = 64000;
  cluster.wanted = {Want("ocr", 500)};
  cluster.wanted[0].needs.cpu_milli = 8000;
  EXPECT_EQ(
      MustPlace(cluster, "snug").assignments[0].why,
      "node b, card 0: would make nothing useless to typical pods and leave its CPU 35.0 cores off the "
      "balance with its cards (now 36.0); the next best of 2 that fit, node a, card 0, would make 0.50 of a "
      "card useless to typical pods and leave its CPU 1.0 cores off the balance with its cards (now 0.0)");
}

TEST(ClusterTest, CardsOfTheModelAskedFor) {
  Cluster cluster;
  cluster.nodes = {Node("a", 8, "P100"), Node("b", 8, "T4"), Node("c", 8, "G2")};
  cluster.wanted = {Want("ocr", 400), Want("none", 400)};
  cluster.wanted[0].needs.card_models = {"T4", "A10"};
  cluster.wanted[1].needs.card_models = {"H20"};
  NodePlan plan = MustPlace(cluster, "snug");
  EXPECT_EQ(plan.assignments[0].node, "b");
  EXPECT_THAT(plan.assignments[0].why, HasSubstr("2 have other cards than T4 or A10"));
  EXPECT_EQ(plan.unplaced[0].why, "no node can hold it: 3 have other cards than H20");
}

TEST(ClusterTest, MemoryOfACardIsAWall) {
  Cluster cluster;
  cluster.nodes = {Node("a", 2)};
  cluster.nodes[0].spec.card_memory_mib = 10'000;
  cluster.wanted = {Want("m", 100, 5)};
  cluster.wanted[0].needs.card_memory_mib = 4'000;
  cluster.wanted[0].spread = false;
  NodePlan plan = MustPlace(cluster, "best-fit");
  ASSERT_EQ(plan.assignments.size(), 4u);  // two a card
  EXPECT_EQ(plan.unplaced[0].copies, 1u);
  EXPECT_EQ(plan.unplaced[0].why, "no node can hold it: 1 lacks memory on a card");
}

TEST(ClusterTest, WholeCardsAreNamed) {
  Cluster cluster;
  cluster.nodes = {Node("a", 4)};
  cluster.nodes[0].copies = {{{"old", 1}, {1000, 1000, 1, 300, {}}, {1}}};
  cluster.wanted = {Want("old", 300), Want("two", 1000)};
  cluster.wanted[1].needs.cards = 2;
  NodePlan plan = MustPlace(cluster);
  EXPECT_THAT(plan.assignments[0].cards, ElementsAre(1));
  EXPECT_FALSE(plan.assignments[0].is_new_copy);
  EXPECT_THAT(plan.assignments[1].cards, ElementsAre(0, 2));
}

TEST(ClusterTest, CopiesSpreadOverNodesUnlessTheyNeedNot) {
  Cluster cluster;
  cluster.nodes = {Node("a", 8), Node("b", 8)};
  cluster.wanted = {Want("ocr", 1000, 3)};
  NodePlan plan = MustPlace(cluster);
  ASSERT_EQ(plan.assignments.size(), 2u);
  EXPECT_NE(plan.assignments[0].node, plan.assignments[1].node);
  EXPECT_EQ(plan.unplaced[0].why, "no node can hold it: 2 are kept from it");
  cluster.wanted[0].spread = false;
  EXPECT_EQ(MustPlace(cluster).assignments.size(), 3u);
}

TEST(ClusterTest, KeepApartHoldsInBothDirections) {
  Cluster cluster;
  cluster.nodes = {Node("a", 8), Node("b", 8)};
  cluster.wanted = {Want("rival", 500), Want("ocr", 400)};
  for (int keeper : {0, 1}) {
    cluster.wanted[0].keep_apart.clear();
    cluster.wanted[1].keep_apart.clear();
    cluster.wanted[keeper].keep_apart = {cluster.wanted[1 - keeper].id.model};
    NodePlan plan = MustPlace(cluster);
    EXPECT_NE(plan.assignments[0].node, plan.assignments[1].node);
  }
}

TEST(ClusterTest, QuotasHold) {
  Cluster cluster;
  cluster.nodes = {Node("a", 8), Node("b", 8), Node("c", 8)};
  cluster.wanted = {Want("ocr", 600, 3)};
  cluster.wanted[0].department = "homes";
  cluster.quota_cards = {{"homes", 1.2}};
  NodePlan plan = MustPlace(cluster);
  EXPECT_EQ(plan.assignments.size(), 2u);
  EXPECT_EQ(plan.unplaced[0].why,
            "department homes has 1.20 cards' share and uses 1.20; 0.60 more is above it");
}

TEST(ClusterTest, PinsAreHonouredOrRefusedAloud) {
  Cluster cluster;
  cluster.nodes = {Node("a", 1), Node("b", 1), Node("c", 1)};
  cluster.nodes[2].spec.cpu_milli = 1;
  cluster.wanted = {Want("ocr", 200), Want("lost", 200), Want("tight", 200)};
  cluster.wanted[0].pinned_nodes = {"b"};
  cluster.wanted[1].pinned_nodes = {"z"};
  cluster.wanted[2].pinned_nodes = {"c"};
  NodePlan plan = MustPlace(cluster);
  ASSERT_EQ(plan.assignments.size(), 1u);
  EXPECT_EQ(plan.assignments[0].node, "b");
  EXPECT_EQ(plan.unplaced[0].why, "it is pinned to node z, which is not there");
  EXPECT_EQ(plan.unplaced[1].why, "it is pinned to node c, which lacks CPU");
}

TEST(ClusterTest, TheFirstPinThatCanBeHonouredIs) {
  Cluster cluster;
  cluster.nodes = {Node("a", 1), Node("b", 1)};
  cluster.nodes[0].spec.cpu_milli = 1;
  cluster.wanted = {Want("ocr", 200)};
  cluster.wanted[0].pinned_nodes = {"z", "a", "b"};
  EXPECT_EQ(MustPlace(cluster).assignments.at(0).node, "b");
  cluster.wanted[0].pinned_nodes = {"z", "a"};
  EXPECT_EQ(MustPlace(cluster).unplaced.at(0).why,
            "it is pinned to node z, which is not there; and to node a, which lacks CPU");
}

TEST(ClusterTest, AFailedNodesModelsAreServedElsewhereAtOnce) {
  Cluster cluster;
  cluster.nodes = {Node("a", 2), Node("b", 2)};
  cluster.nodes[0].copies = {{{"ocr", 1}, {1000, 1000, 1, 300, {}}, {0}},
                             {{"big", 1}, {1000, 1000, 1, 1000, {}}, {1}}};
  cluster.wanted = {Want("ocr", 300), Want("big", 1000)};
  EXPECT_FALSE(MustPlace(cluster).assignments[0].is_new_copy);
  cluster.nodes[0].state = NodeState::kFailed;
  NodePlan plan = MustPlace(cluster);
  ASSERT_EQ(plan.assignments.size(), 2u);
  EXPECT_TRUE(plan.removals.empty());
  for (const NodeAssignment& a : plan.assignments) {
    EXPECT_EQ(a.node, "b");
    EXPECT_THAT(a.why, StartsWith("was on node a, which failed; node b"));
  }
}

TEST(ClusterTest, AClosedNodeKeepsWhatItHasAndTakesNothing) {
  Cluster cluster;
  cluster.nodes = {Node("a", 2)};
  cluster.nodes[0].state = NodeState::kClosed;
  cluster.nodes[0].copies = {{{"ocr", 1}, {1000, 1000, 1, 300, {}}, {0}}};
  cluster.wanted = {Want("ocr", 300), Want("new", 100)};
  NodePlan plan = MustPlace(cluster);
  EXPECT_EQ(plan.assignments.size(), 1u);
  EXPECT_EQ(plan.unplaced[0].why, "no node can hold it: 1 takes nothing now");
}

TEST(ClusterTest, WhatIsNotWantedGoes) {
  Cluster cluster;
  PodSpec needs{1000, 1000, 1, 300, {}};
  cluster.nodes = {Node("a", 2), Node("b", 2)};
  cluster.nodes[0].copies = {{{"ocr", 1}, needs, {0}}, {{"ocr", 1}, needs, {1}}, {{"old", 1}, needs, {1}}};
  cluster.nodes[1].copies = {{{"ocr", 1}, needs, {0}}};
  cluster.wanted = {Want("ocr", 300, 2)};
  cluster.wanted[0].pinned_nodes = {"b"};
  NodePlan plan = MustPlace(cluster);
  ASSERT_EQ(plan.removals.size(), 2u);
  EXPECT_EQ(plan.removals[0].why, "2 copies are wanted and stand elsewhere");
  EXPECT_THAT(plan.removals[0].cards, ElementsAre(1));
  EXPECT_EQ(plan.removals[1].why, "no longer wanted");
}

TEST(ClusterTest, ANodeThatShrankTakesNothingMore) {
  Cluster cluster;
  PodSpec needs{1000, 1000, 1, 700, {}};
  cluster.nodes = {Node("a", 1)};
  cluster.nodes[0].copies = {{{"x", 1}, needs, {0}}, {{"y", 1}, needs, {0}}};
  cluster.wanted = {Want("x", 700), Want("y", 700), Want("ocr", 100)};
  for (const std::string& policy : NodeRuleNames()) {
    NodePlan plan = MustPlace(cluster, policy);
    EXPECT_EQ(plan.assignments.size(), 2u);
    EXPECT_EQ(plan.unplaced[0].why, "no node can hold it: 1 lacks cards with enough left");
  }
}

TEST(ClusterTest, BadClustersAreRefused) {
  auto text = [](const Cluster& cluster) { return PlaceOnNodes(cluster, "snug").status().text(); };
  Cluster twice;
  twice.wanted = {Want("ocr", 100), Want("ocr", 100)};
  EXPECT_EQ(text(twice), "ocr@1 is wanted twice");
  Cluster needs;
  needs.wanted = {Want("ocr", 1001)};
  EXPECT_THAT(text(needs), HasSubstr("ocr@1 asks for 1 cards with 1001 milli each"));
  needs.wanted[0].needs = {-1, 0, 1, 100, {}};
  EXPECT_THAT(text(needs), HasSubstr("less than nothing"));
  Cluster nodes;
  nodes.nodes = {Node("a", 1), Node("a", 1)};
  EXPECT_EQ(text(nodes), "node a is there twice");
  nodes.nodes = {Node("a", 17)};
  EXPECT_EQ(text(nodes), "node a has 17 cards; 0 to 16");
  nodes.nodes = {Node("a", 1)};
  nodes.nodes[0].copies = {{{"x", 1}, {1000, 1000, 1, 700, {}}, {3}}};
  EXPECT_THAT(text(nodes), HasSubstr("node a holds x@1 on 1 cards that are not among its 1"));
  EXPECT_THAT(PlaceOnNodes({}, "magic").status().text(), HasSubstr("there are: random, first-fit"));
}

TEST(ClusterTest, NodesAndGroupsKnowTheSamePolicies) {
  EXPECT_EQ(NodeRuleNames(), PolicyNames());
}

}  // namespace
}  // namespace snug::placement
