#include "placement/nodes.h"

#include <algorithm>

namespace snug::placement {

std::vector<std::string> CardModels(const std::vector<NodeSpec>& nodes) {
  std::vector<std::string> models;
  for (const NodeSpec& node : nodes) {
    if (std::find(models.begin(), models.end(), node.card_model) == models.end()) {
      models.push_back(node.card_model);
    }
  }
  return models;
}

NodeLeft Untouched(const NodeSpec& node, int model_number) {
  NodeLeft left;
  left.cpu_milli = node.cpu_milli;
  left.memory_mib = node.memory_mib;
  left.cards = node.cards;
  left.model = model_number;
  for (int card = 0; card < node.cards; ++card) {
    left.card_milli[card] = kCardMilli;
    left.card_memory_mib[card] = node.card_memory_mib > 0 ? node.card_memory_mib : kCardMemoryUnlimited;
  }
  return left;
}

Lack LackOf(const NodeLeft& left, const PodSpec& pod) {
  if (!left.open) return Lack::kOpen;
  if (left.cpu_milli < pod.cpu_milli) return Lack::kCpu;
  if (left.memory_mib < pod.memory_mib) return Lack::kMemory;
  int share = 0, both = 0;
  for (int card = 0; card < left.cards; ++card) {
    share += left.card_milli[card] >= pod.card_milli;
    both += FitsCard(left, pod, card);
  }
  if (both >= pod.cards) return Lack::kNothing;
  return share >= pod.cards ? Lack::kCardMemory : Lack::kCards;
}

std::string_view LackText(Lack lack, bool one) {
  switch (lack) {
    case Lack::kNothing:
      return one ? "has room" : "have room";
    case Lack::kOpen:
      return one ? "takes nothing now" : "take nothing now";
    case Lack::kCpu:
      return one ? "lacks CPU" : "lack CPU";
    case Lack::kMemory:
      return one ? "lacks memory" : "lack memory";
    case Lack::kCards:
      return one ? "lacks cards with enough left" : "lack cards with enough left";
    case Lack::kCardMemory:
      return one ? "lacks memory on a card" : "lack memory on a card";
  }
  return "";
}

bool FitsCard(const NodeLeft& left, const PodSpec& pod, int card) {
  return left.card_milli[card] >= pod.card_milli && left.card_memory_mib[card] >= pod.card_memory_mib;
}

void TakeCard(NodeLeft& left, const PodSpec& pod, int card) {
  left.card_milli[card] = static_cast<int16_t>(left.card_milli[card] - pod.card_milli);
  if (left.card_memory_mib[card] != kCardMemoryUnlimited) left.card_memory_mib[card] -= pod.card_memory_mib;
}

void Take(NodeLeft& left, const PodSpec& pod, int card) {
  left.cpu_milli -= pod.cpu_milli;
  left.memory_mib -= pod.memory_mib;
  if (pod.IsFraction()) return TakeCard(left, pod, card);
  for (int c = 0, missing = pod.cards; c < left.cards && missing > 0; ++c) {
    if (!FitsCard(left, pod, c)) continue;
    TakeCard(left, pod, c);
    --missing;
  }
}

std::vector<int> CardsTaken(const NodeLeft& left, const PodSpec& pod, int card) {
  if (pod.IsFraction()) return {card};
  std::vector<int> taken;
  for (int c = 0; c < left.cards && static_cast<int>(taken.size()) < pod.cards; ++c) {
    if (FitsCard(left, pod, c)) taken.push_back(c);
  }
  return taken;
}

}  // namespace snug::placement
