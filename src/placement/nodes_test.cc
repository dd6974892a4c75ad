#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "placement/node_packer.h"

namespace snug::placement {
namespace {

PodSpec Fraction(int milli, int64_t cpu = 1000) {
  return {cpu, 0, 1, milli, {}};
}
PodSpec Whole(int cards, int64_t cpu = 1000) {
  return {cpu, 0, cards, kCardMilli, {}};
}

std::vector<NodeSpec> RandomNodes(Rng& rng, size_t count) {
  std::vector<NodeSpec> nodes;
  for (size_t n = 0; n < count; ++n) {
    nodes.push_back({"n" + std::to_string(n), static_cast<int64_t>(8000 * (1 + rng.Below(12))), 64000,
                     static_cast<int>(rng.Below(9)), rng.Below(2) == 0 ? "T4" : "P100"});
  }
  return nodes;
}

PodSpec RandomPod(Rng& rng) {
  PodSpec pod = rng.Below(2) == 0 ? Fraction(static_cast<int>(10 * (1 + rng.Below(99))))
                                  : Whole(static_cast<int>(rng.Below(5)));
  if (pod.cards == 0) pod.card_milli = 0;
  pod.cpu_milli = static_cast<int64_t>(1000 * rng.Below(16));
  pod.memory_mib = static_cast<int64_t>(1000 * rng.Below(8));
  if (rng.Below(5) == 0) pod.card_models = {"T4"};
  return pod;
}

// The definition of the paper, pod by pod.
int64_t FragmentationByDefinition(const NodeLeft& left, const std::vector<PodSpec>& typical) {
  int64_t sum = 0;
  for (PodSpec pod : typical) {
    pod.memory_mib = 0;
    if (pod.cards == 0 || !FitsNode(left, pod)) {
      sum += left.IdleMilli();
      continue;
    }
    for (int card = 0; card < left.cards; ++card) {
      if (left.card_milli[card] < std::min(pod.card_milli, kCardMilli)) sum += left.card_milli[card];
    }
  }
  return sum;
}

TEST(FragmentationTest, EqualsTheDefinition) {
  Rng rng(3);
  std::vector<PodSpec> typical;
  typical.reserve(60);
  for (int i = 0; i < 60; ++i) typical.push_back(RandomPod(rng));
  Fragmentation fragmentation(typical);
  for (int i = 0; i < 500; ++i) {
    NodeLeft left = Untouched(RandomNodes(rng, 1)[0], 0);
    left.cpu_milli = static_cast<int64_t>(rng.Below(20000));
    for (int card = 0; card < left.cards; ++card)
      left.card_milli[card] = static_cast<int16_t>(rng.Below(1001));
    EXPECT_EQ(fragmentation.Of(left), FragmentationByDefinition(left, typical));
  }
}

TEST(NodePackerTest, NothingIsOversoldAndAPodIsRefusedOnlyWhenNothingFits) {
  for (const std::string& name : NodeRuleNames()) {
    Rng rng(11);
    auto nodes = RandomNodes(rng, 150);
    std::vector<PodSpec> pods;
    pods.reserve(1500);
    for (int i = 0; i < 1500; ++i) pods.push_back(RandomPod(rng));
    Fragmentation fragmentation(pods);
    auto rule = *MakeNodeRule(name, fragmentation, nodes);
    NodePacker packer(nodes, *rule, 1);
    for (const PodSpec& pod : pods) {
      auto spot = packer.Find(pod);
      if (!spot) {
        if (name == "fifty-percent") continue;
        for (size_t n = 0; n < nodes.size(); ++n) {
          bool model = pod.card_models.empty() || nodes[n].card_model == "T4";
          ASSERT_FALSE(model && FitsNode(packer.nodes()[n], pod)) << name;
        }
        continue;
      }
      ASSERT_TRUE(FitsNode(packer.nodes()[spot->node], pod)) << name;
      if (!pod.card_models.empty()) {
        ASSERT_EQ(nodes[spot->node].card_model, "T4");
      }
      packer.Commit(pod, *spot);
    }
    for (const NodeLeft& left : packer.nodes()) {
      EXPECT_GE(left.cpu_milli, 0);
      EXPECT_GE(left.memory_mib, 0);
      for (int16_t milli : left.card_milli) EXPECT_GE(milli, 0);
    }
  }
}

// A fresh packer has no cache, so it must choose what the one with a long past chooses.
TEST(NodePackerTest, TheCacheChangesNoDecision) {
  for (const std::string name : {"snug", "fgd", "best-fit"}) {
    Rng rng(5);
    auto nodes = RandomNodes(rng, 90);
    std::vector<PodSpec> kinds, pods;
    for (int i = 0; i < 12; ++i) kinds.push_back(RandomPod(rng));
    for (int i = 0; i < 250; ++i) pods.push_back(kinds[rng.Below(kinds.size())]);
    Fragmentation fragmentation(pods);
    auto rule = *MakeNodeRule(name, fragmentation, nodes);
    NodePacker packer(nodes, *rule, 1);
    std::vector<std::pair<PodSpec, Spot>> history;
    for (const PodSpec& pod : pods) {
      NodePacker fresh(nodes, *rule, 1);
      for (const auto& [old, spot] : history) fresh.Commit(old, spot);
      auto expected = fresh.Find(pod), got = packer.Find(pod);
      ASSERT_EQ(expected.has_value(), got.has_value());
      if (!got) continue;
      ASSERT_EQ(expected->node, got->node) << name;
      ASSERT_EQ(expected->card, got->card) << name;
      packer.Commit(pod, *got);
      history.emplace_back(pod, *got);
    }
  }
}

TEST(FragmentationTest, PodsThatAskForAModelNeedItsCards) {
  PodSpec t4 = Fraction(500), any = Fraction(300);
  t4.card_models = {"T4"};
  Fragmentation fragmentation({t4, any, any}, {"P100", "T4"});
  NodeLeft left = Untouched({"n", 64000, 64000, 2, ""}, 0);
  EXPECT_EQ(fragmentation.Of(left), 2000);  // of use to two of the three
  left.model = 1;
  EXPECT_EQ(fragmentation.Of(left), 0);
  left.card_milli[0] = 400;
  EXPECT_EQ(fragmentation.Of(left), 400);
}

TEST(FragmentationTest, VeryManyCpuDemandsAreCountedInSteps) {
  std::vector<PodSpec> typical;
  for (int i = 1; i <= 5000; ++i) typical.push_back(Fraction(100, i));
  Fragmentation fragmentation(typical);
  NodeLeft left = Untouched({"n", 5000, 64000, 1, ""}, 0);
  EXPECT_EQ(fragmentation.Of(left), 0);
  left.cpu_milli = 0;
  EXPECT_EQ(fragmentation.Of(left), 5000 * kCardMilli);
  left.cpu_milli = 2500;
  EXPECT_NEAR(static_cast<double>(fragmentation.Of(left)), 2500 * kCardMilli, 5 * kCardMilli);
}

TEST(NodeRuleTest, AnUnknownNameIsRefused) {
  Fragmentation none({});
  EXPECT_EQ(MakeNodeRule("magic", none, {}).status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace snug::placement
