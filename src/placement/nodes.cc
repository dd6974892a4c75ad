#include "placement/nodes.h"

namespace snug::placement {

NodeLeft Untouched(const NodeSpec& node, int model_number) {
  NodeLeft left;
  left.cpu_milli = node.cpu_milli;
  left.memory_mib = node.memory_mib;
  left.cards = node.cards;
  left.model = model_number;
  for (int card = 0; card < node.cards; ++card) left.card_milli[card] = kCardMilli;
  return left;
}

bool FitsNode(const NodeLeft& left, const PodSpec& pod) {
  if (left.cpu_milli < pod.cpu_milli || left.memory_mib < pod.memory_mib) return false;
  if (pod.cards == 0) return true;
  int enough = 0;
  for (int card = 0; card < left.cards; ++card) enough += left.card_milli[card] >= pod.card_milli;
  return enough >= pod.cards;
}

bool FitsCard(const NodeLeft& left, const PodSpec& pod, int card) {
  return left.card_milli[card] >= pod.card_milli;
}

void Take(NodeLeft& left, const PodSpec& pod, int card) {
  left.cpu_milli -= pod.cpu_milli;
  left.memory_mib -= pod.memory_mib;
  if (pod.IsFraction()) {
    left.card_milli[card] = static_cast<int16_t>(left.card_milli[card] - pod.card_milli);
    return;
  }
  for (int c = 0, missing = pod.cards; c < left.cards && missing > 0; ++c) {
    if (left.card_milli[c] != kCardMilli) continue;
    left.card_milli[c] = 0;
    --missing;
  }
}

}  // namespace snug::placement
