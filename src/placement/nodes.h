// Nodes with CPU, memory and cards, and pods that ask for whole cards or a fraction of one. A card is 1000
// milli.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace snug::placement {

inline constexpr int kCardMilli = 1000;
inline constexpr int kCardsPerNodeMax = 16;

struct NodeSpec {
  std::string id;
  int64_t cpu_milli = 0;
  int64_t memory_mib = 0;
  int cards = 0;  // 0 to kCardsPerNodeMax
  std::string card_model;
};

struct PodSpec {
  int64_t cpu_milli = 0;
  int64_t memory_mib = 0;
  int cards = 0;                         // 0: no card
  int card_milli = 0;                    // of each card; below 1000 only when cards is 1
  std::vector<std::string> card_models;  // empty: any

  int DemandMilli() const { return cards * card_milli; }
  bool IsFraction() const { return cards == 1 && card_milli < kCardMilli; }
  auto operator<=>(const PodSpec&) const = default;
};

// What is left of a node. Cards beyond the node's own stay 0.
struct NodeLeft {
  int64_t cpu_milli = 0;
  int64_t memory_mib = 0;
  int cards = 0;
  int model = 0;  // number of the card's model
  std::array<int16_t, kCardsPerNodeMax> card_milli{};

  bool operator==(const NodeLeft&) const = default;
  int IdleMilli() const {
    int sum = 0;
    for (int card = 0; card < cards; ++card) sum += card_milli[card];
    return sum;
  }
  int WholeCards() const {
    int whole = 0;
    for (int card = 0; card < cards; ++card) whole += card_milli[card] == kCardMilli;
    return whole;
  }
};

NodeLeft Untouched(const NodeSpec& node, int model_number);

// Whether CPU, memory and cards suffice; `card` is the one that a fraction goes to and is ignored otherwise.
bool FitsNode(const NodeLeft& left, const PodSpec& pod);
bool FitsCard(const NodeLeft& left, const PodSpec& pod, int card);

// Takes the pod's part; whole cards are taken from the first free one on. Requires that it fits.
void Take(NodeLeft& left, const PodSpec& pod, int card);

}  // namespace snug::placement
