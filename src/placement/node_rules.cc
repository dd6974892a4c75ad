#include "placement/node_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace snug::placement {
namespace {

struct Largest {
  double cpu_milli = 1;
  double card_milli = 1;
};

Largest LargestOf(const std::vector<NodeSpec>& nodes) {
  Largest largest;
  for (const NodeSpec& node : nodes) {
    largest.cpu_milli = std::max(largest.cpu_milli, static_cast<double>(node.cpu_milli));
    largest.card_milli = std::max(largest.card_milli, static_cast<double>(node.cards) * kCardMilli);
  }
  return largest;
}

class RandomRule : public NodeRule {
 public:
  double Cost(const NodeLeft&, const PodSpec&, int) const override { return 0; }
  std::string Explain(const NodeLeft&, const PodSpec&, int) const override { return "is drawn at random"; }
  bool IsRandom() const override { return true; }
};

class FirstFitRule : public NodeRule {
 public:
  double Cost(const NodeLeft&, const PodSpec&, int) const override { return 0; }
  std::string Explain(const NodeLeft&, const PodSpec&, int) const override { return "has room"; }
};

// The node with the least left of CPU and cards afterwards, each as a part of the largest node; within the
// node the fullest card.
class BestFitRule : public NodeRule {
 public:
  explicit BestFitRule(const std::vector<NodeSpec>& nodes) : largest_(LargestOf(nodes)) {}
  double Cost(const NodeLeft& left, const PodSpec& pod, int card) const override {
    double cpu = static_cast<double>(left.cpu_milli - pod.cpu_milli) / largest_.cpu_milli;
    double cards = static_cast<double>(left.IdleMilli() - pod.DemandMilli()) / largest_.card_milli;
    double on_card = pod.IsFraction() ? left.card_milli[card] * 1e-9 : 0.0;
    return cpu + cards + on_card;
  }
  std::string Explain(const NodeLeft& left, const PodSpec& pod, int) const override {
    return fmt::format("would have {:.1f} cores and {:.2f} cards left",
                       static_cast<double>(left.cpu_milli - pod.cpu_milli) / 1000,
                       (left.IdleMilli() - pod.DemandMilli()) / 1000.0);
  }

 private:
  Largest largest_;
};

// Tetris' alignment: the larger the product of demand and what is left, the better they match.
class DotProductRule : public NodeRule {
 public:
  explicit DotProductRule(const std::vector<NodeSpec>& nodes) : largest_(LargestOf(nodes)) {}
  double Cost(const NodeLeft& left, const PodSpec& pod, int card) const override {
    return Product(left, pod) + (pod.IsFraction() ? left.card_milli[card] * 1e-9 : 0.0);
  }
  std::string Explain(const NodeLeft& left, const PodSpec& pod, int) const override {
    return fmt::format("has a product of demand and what is left of {:.4f}", Product(left, pod));
  }

 private:
  double Product(const NodeLeft& left, const PodSpec& pod) const {
    double cpu = static_cast<double>(left.cpu_milli) / largest_.cpu_milli *
                 static_cast<double>(pod.cpu_milli) / largest_.cpu_milli;
    double cards = left.IdleMilli() / largest_.card_milli * pod.DemandMilli() / largest_.card_milli;
    return cpu + cards;
  }
  Largest largest_;
};

class FgdRule : public NodeRule {
 public:
  explicit FgdRule(const Fragmentation& fragmentation) : fragmentation_(fragmentation) {}
  double Cost(const NodeLeft& left, const PodSpec& pod, int card) const override {
    return DeltaMilli(left, After(left, pod, card));
  }
  std::string Explain(const NodeLeft& left, const PodSpec& pod, int card) const override {
    return Stranded(DeltaMilli(left, After(left, pod, card)));
  }

 protected:
  static NodeLeft After(const NodeLeft& left, const PodSpec& pod, int card) {
    NodeLeft after = left;
    Take(after, pod, card);
    return after;
  }
  double DeltaMilli(const NodeLeft& before, const NodeLeft& after) const {
    return static_cast<double>(fragmentation_.Of(after) - fragmentation_.Of(before)) /
           static_cast<double>(std::max<int64_t>(1, fragmentation_.pods()));
  }
  static std::string Stranded(double milli) {
    if (std::abs(milli) < 5) return "would make nothing useless to typical pods";
    return fmt::format("would make {:.2f} of a card {} to typical pods", std::abs(milli) / kCardMilli,
                       milli > 0 ? "useless" : "useful again");
  }

 private:
  const Fragmentation& fragmentation_;
};

// FGD sees a card as lost only once CPU has run out. Ours also counts what leads there: how far the node's
// CPU left is from kCoresPerCard for each card left, and whether the pod brings it nearer or further. Using
// the change, not the distance itself, keeps large nodes from being judged by their size. Both constants were
// chosen on seeds 1-6, where 14 to 20 cores and weights of 5 to 40 differ by 0.1 points (docs/placement.md).
class SnugRule : public FgdRule {
 public:
  using FgdRule::FgdRule;
  double Cost(const NodeLeft& left, const PodSpec& pod, int card) const override {
    NodeLeft after = After(left, pod, card);
    return DeltaMilli(left, after) + kMilliPerCore * (CoresOff(after) - CoresOff(left));
  }
  std::string Explain(const NodeLeft& left, const PodSpec& pod, int card) const override {
    NodeLeft after = After(left, pod, card);
    return fmt::format("{} and leave its CPU {:.1f} cores off the balance with its cards (now {:.1f})",
                       Stranded(DeltaMilli(left, after)), CoresOff(after), CoresOff(left));
  }

 private:
  static constexpr double kCoresPerCard = 14;
  static constexpr double kMilliPerCore = 20;
  static double CoresOff(const NodeLeft& left) {
    return std::abs(static_cast<double>(left.cpu_milli) - kCoresPerCard * left.IdleMilli()) / 1000;
  }
};

// 58.com's rule without measured use: a card takes fractions up to a half, more than a half has a card of its
// own.
class FiftyPercentRule : public NodeRule {
 public:
  double Cost(const NodeLeft& left, const PodSpec& pod, int card) const override {
    if (!pod.IsFraction()) return 0;
    int used = kCardMilli - left.card_milli[card];
    bool within = used == 0 || used + pod.card_milli <= kCardMilli / 2;
    return within ? 0 : std::numeric_limits<double>::infinity();
  }
  std::string Explain(const NodeLeft&, const PodSpec&, int) const override {
    return "has a card that stays within 50 % or is free";
  }
};

}  // namespace

std::vector<std::string> NodeRuleNames() {
  return {"random", "first-fit", "best-fit", "dot-product", "fifty-percent", "fgd", "snug"};
}

Result<std::unique_ptr<NodeRule>> MakeNodeRule(std::string_view name, const Fragmentation& fragmentation,
                                               const std::vector<NodeSpec>& nodes) {
  std::unique_ptr<NodeRule> rule;
  if (name == "random") rule = std::make_unique<RandomRule>();
  if (name == "first-fit") rule = std::make_unique<FirstFitRule>();
  if (name == "best-fit") rule = std::make_unique<BestFitRule>(nodes);
  if (name == "dot-product") rule = std::make_unique<DotProductRule>(nodes);
  if (name == "fifty-percent") rule = std::make_unique<FiftyPercentRule>();
  if (name == "fgd") rule = std::make_unique<FgdRule>(fragmentation);
  if (name == "snug") rule = std::make_unique<SnugRule>(fragmentation);
  if (rule != nullptr) return rule;
  return InvalidArgument("there is no node policy \"{}\"; there are: {}", name,
                         fmt::join(NodeRuleNames(), ", "));
}

}  // namespace snug::placement
