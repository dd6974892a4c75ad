// Nodes with CPU, memory and cards, and pods that ask for whole cards or a fraction of one. A card is 1000
// milli.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace snug::placement {

inline constexpr int kCardMilli = 1000;
inline constexpr int kCardsPerNodeMax = 16;
inline constexpr int32_t kCardMemoryUnlimited = std::numeric_limits<int32_t>::max();

struct NodeSpec {
  std::string id;
  int64_t cpu_milli = 0;
  int64_t memory_mib = 0;
  int cards = 0;  // 0 to kCardsPerNodeMax
  std::string card_model;
  int32_t card_memory_mib = 0;  // of each card; 0: not limited
};

struct PodSpec {
  int64_t cpu_milli = 0;
  int64_t memory_mib = 0;
  int cards = 0;                         // 0: no card
  int card_milli = 0;                    // of each card; below 1000 only when cards is 1
  std::vector<std::string> card_models;  // empty: any
  int32_t card_memory_mib = 0;           // of each card

  int DemandMilli() const { return cards * card_milli; }
  bool IsFraction() const { return cards == 1 && card_milli < kCardMilli; }
  auto operator<=>(const PodSpec&) const = default;
};

// What is left of a node. Cards beyond the node's own stay 0.
struct NodeLeft {
  int64_t cpu_milli = 0;
  int64_t memory_mib = 0;
  int cards = 0;
  int model = 0;     // number of the card's model, as CardModels counts
  bool open = true;  // false: it failed or takes nothing more
  std::array<int16_t, kCardsPerNodeMax> card_milli{};
  std::array<int32_t, kCardsPerNodeMax> card_memory_mib{};  // kCardMemoryUnlimited: nobody counts

  bool operator==(const NodeLeft&) const = default;
  int IdleMilli() const {
    int sum = 0;
    for (int card = 0; card < cards; ++card) sum += card_milli[card];
    return sum;
  }
};

// The nodes' card models, each once, in the order of the nodes.
std::vector<std::string> CardModels(const std::vector<NodeSpec>& nodes);

NodeLeft Untouched(const NodeSpec& node, int model_number);

// What a node lacks for a pod, the first in this order.
enum class Lack { kNothing, kOpen, kCpu, kMemory, kCards, kCardMemory };
Lack LackOf(const NodeLeft& left, const PodSpec& pod);
// "lacks CPU", "lack CPU": for one and for several nodes.
std::string_view LackText(Lack lack, bool one);

inline bool FitsNode(const NodeLeft& left, const PodSpec& pod) {
  return LackOf(left, pod) == Lack::kNothing;
}
bool FitsCard(const NodeLeft& left, const PodSpec& pod, int card);

// Takes the pod's part of the node and of one card.
void TakeCard(NodeLeft& left, const PodSpec& pod, int card);
// Takes all of the pod's part: a fraction from `card`, whole cards from the first that fit on. Requires that
// it fits.
void Take(NodeLeft& left, const PodSpec& pod, int card);
// The cards that Take takes.
std::vector<int> CardsTaken(const NodeLeft& left, const PodSpec& pod, int card);

}  // namespace snug::placement
