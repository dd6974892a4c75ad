#include "simulate/cards.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "base/rng.h"
#include "placement/cutting.h"
#include "placement/node_packer.h"

namespace snug::simulate {
namespace {

using placement::kCardMilli;
using placement::NodeSpec;
using placement::PodSpec;

constexpr uint64_t kDrawStream = 0x64726177;

struct Typical {
  std::vector<int> units;  // every fraction of the list, in its order
  std::vector<placement::CutSize> sizes;
  placement::Cutting cutting;
  std::vector<PodSpec> pods;  // the fractions, by card share alone
};

Result<Typical> MakeTypical(const std::vector<PodSpec>& pods) {
  Typical typical;
  std::map<int, int64_t> counts;
  for (const PodSpec& pod : pods) {
    if (!pod.IsFraction()) continue;
    typical.units.push_back(pod.card_milli);
    typical.pods.push_back({0, 0, 1, pod.card_milli, {}});
    counts[pod.card_milli] += 1;
  }
  if (typical.units.empty()) return InvalidArgument("the list has no pod that asks for a fraction of a card");
  for (auto [units, count] : counts) typical.sizes.push_back({units, count});
  SNUG_ASSIGN_OR_RETURN(typical.cutting, SolveCutting(typical.sizes, kCardMilli));
  return typical;
}

// Through the node packer: every card is a node of its own, and an untouched one is opened only when no
// touched one fits.
Result<std::vector<size_t>> PackByRule(const Typical& typical, const std::vector<int>& arrivals,
                                       const std::string& policy, uint64_t seed) {
  std::vector<NodeSpec> nodes(arrivals.size(), {"", 0, 0, 1, ""});
  placement::Fragmentation fragmentation(typical.pods);
  SNUG_ASSIGN_OR_RETURN(auto rule, placement::MakeNodeRule(policy, fragmentation, nodes));
  std::vector<size_t> card_of;
  std::vector<placement::NodeLeft> cards;
  Rng rng(seed ^ kDrawStream);
  for (int units : arrivals) {
    PodSpec pod{0, 0, 1, units, {}};
    size_t best = cards.size();
    double lowest = std::numeric_limits<double>::infinity();
    size_t fitting = 0;
    for (size_t c = 0; c < cards.size(); ++c) {
      if (!FitsNode(cards[c], pod)) continue;
      double cost = rule->Cost(cards[c], pod, 0);
      if (rule->IsRandom() ? rng.Below(++fitting) == 0 : cost < lowest) {
        best = c;
        lowest = cost;
      }
    }
    if (best == cards.size()) cards.push_back(placement::Untouched(nodes[0], 0));
    placement::Take(cards[best], pod, 0);
    card_of.push_back(best);
  }
  return card_of;
}

std::vector<size_t> CardsByFill(const std::vector<int>& units, const std::vector<size_t>& card_of) {
  constexpr size_t kParts = 20;
  std::map<size_t, int> filled;
  for (size_t i = 0; i < units.size(); ++i) filled[card_of[i]] += units[i];
  std::vector<size_t> cards(kParts);
  for (auto [card, sum] : filled)
    cards[std::min(kParts - 1, static_cast<size_t>(sum) * kParts / kCardMilli)] += 1;
  return cards;
}

Result<std::vector<size_t>> Pack(const Typical& typical, const std::vector<int>& arrivals,
                                 const std::string& policy, uint64_t seed) {
  std::vector<size_t> card_of;
  if (policy == "one-per-card") {
    for (size_t i = 0; i < arrivals.size(); ++i) card_of.push_back(i);
    return card_of;
  }
  if (policy != "snug" && policy != "snug-repack") return PackByRule(typical, arrivals, policy, seed);
  placement::CardPacker packer(WorthOfRest(typical.sizes, typical.cutting.prices, kCardMilli), kCardMilli);
  for (int units : arrivals) card_of.push_back(packer.Place(units));
  return card_of;
}

}  // namespace

Result<std::vector<CardsRun>> RunCards(const std::vector<PodSpec>& pods,
                                       const std::vector<std::string>& policies,
                                       const std::vector<uint64_t>& seeds) {
  SNUG_ASSIGN_OR_RETURN(Typical typical, MakeTypical(pods));
  std::vector<CardsRun> runs;
  for (const std::string& policy : policies) {
    for (uint64_t seed : seeds) {
      std::vector<int> arrivals = typical.units;
      Rng(seed).Shuffle(std::span(arrivals));
      SNUG_ASSIGN_OR_RETURN(auto card_of, Pack(typical, arrivals, policy, seed));
      SNUG_ASSIGN_OR_RETURN(auto repack, placement::RepackCards(arrivals, card_of, kCardMilli));
      CardsRun run;
      run.policy = policy;
      run.seed = seed;
      run.pods = arrivals.size();
      run.lp_bound = typical.cutting.bound_cards;
      run.cards = *std::max_element(card_of.begin(), card_of.end()) + 1;
      run.repacked_cards = repack.cards;
      run.repack_moves = repack.moves;
      if (policy == "snug-repack") {
        run.cards = repack.cards;
        card_of = repack.card_of;
      }
      run.cards_by_fill = CardsByFill(arrivals, card_of);
      run.gap_percent = 100 * (static_cast<double>(run.cards) / run.lp_bound - 1);
      run.repacked_gap_percent = 100 * (static_cast<double>(run.repacked_cards) / run.lp_bound - 1);
      runs.push_back(run);
    }
  }
  return runs;
}

}  // namespace snug::simulate
