#include "placement/node_packer.h"

#include <fmt/format.h>

#include <algorithm>

namespace snug::placement {

NodePacker::NodePacker(const std::vector<NodeSpec>& nodes, const NodeRule& rule, uint64_t seed)
    : rule_(rule), rng_(seed) {
  for (const NodeSpec& node : nodes) {
    auto name = std::find(model_names_.begin(), model_names_.end(), node.card_model);
    int number = static_cast<int>(name - model_names_.begin());
    if (name == model_names_.end()) model_names_.push_back(node.card_model);
    nodes_.push_back(Untouched(node, number));
  }
}

std::vector<bool> NodePacker::AllowedModels(const PodSpec& pod) const {
  if (pod.card_models.empty()) return {};
  std::vector<bool> allowed;
  for (const std::string& name : model_names_) {
    allowed.push_back(std::find(pod.card_models.begin(), pod.card_models.end(), name) !=
                      pod.card_models.end());
  }
  return allowed;
}

NodePacker::Shape& NodePacker::ShapeOf(const PodSpec& pod) {
  auto [entry, is_new] = shapes_.try_emplace(pod);
  if (is_new) {
    entry->second.models = AllowedModels(pod);
    ScoreAll(entry->second, pod);
  } else {
    Sync(entry->second, pod);
  }
  return entry->second;
}

double NodePacker::CostOn(const NodeLeft& left, const PodSpec& pod, const std::vector<bool>& models) const {
  if (!models.empty() && !models[left.model]) return kImpossible;
  if (!FitsNode(left, pod)) return kImpossible;
  if (!pod.IsFraction()) return rule_.Cost(left, pod, 0);
  return rule_.Cost(left, pod, BestCard(left, pod));
}

int NodePacker::BestCard(const NodeLeft& left, const PodSpec& pod) const {
  int best = -1;
  double lowest = kImpossible;
  for (int card = 0; card < left.cards; ++card) {
    if (!FitsCard(left, pod, card)) continue;
    // Cards with the same left cost the same.
    bool seen = std::find(left.card_milli.begin(), left.card_milli.begin() + card, left.card_milli[card]) !=
                left.card_milli.begin() + card;
    if (seen) continue;
    double cost = rule_.Cost(left, pod, card);
    if (best >= 0 && cost >= lowest) continue;
    best = card;
    lowest = cost;
  }
  return best;
}

void NodePacker::ScoreAll(Shape& shape, const PodSpec& pod) const {
  shape.cost.resize(nodes_.size());
  for (size_t n = 0; n < nodes_.size(); ++n) {
    // Nodes of one kind stand together in most fleets and are alike while untouched.
    bool like_last = n > 0 && nodes_[n] == nodes_[n - 1];
    shape.cost[n] = like_last ? shape.cost[n - 1] : CostOn(nodes_[n], pod, shape.models);
  }
  shape.block_lowest.resize((nodes_.size() + kBlock - 1) / kBlock);
  for (size_t block = 0; block < shape.block_lowest.size(); ++block) RefreshBlock(shape, block);
  shape.synced = changes_.size();
}

void NodePacker::Sync(Shape& shape, const PodSpec& pod) const {
  if (changes_.size() - shape.synced > nodes_.size()) return ScoreAll(shape, pod);
  for (; shape.synced < changes_.size(); ++shape.synced) {
    uint32_t n = changes_[shape.synced];
    shape.cost[n] = CostOn(nodes_[n], pod, shape.models);
    RefreshBlock(shape, n / kBlock);
  }
}

void NodePacker::RefreshBlock(Shape& shape, size_t block) const {
  auto first = shape.cost.begin() + static_cast<ptrdiff_t>(block * kBlock);
  auto last = shape.cost.begin() + static_cast<ptrdiff_t>(std::min(shape.cost.size(), (block + 1) * kBlock));
  shape.block_lowest[block] = *std::min_element(first, last);
}

size_t NodePacker::LowestNode(const Shape& shape) const {
  auto lowest = std::min_element(shape.block_lowest.begin(), shape.block_lowest.end());
  if (lowest == shape.block_lowest.end() || *lowest == kImpossible) return nodes_.size();
  size_t n = static_cast<size_t>(lowest - shape.block_lowest.begin()) * kBlock;
  while (shape.cost[n] != *lowest) ++n;
  return n;
}

size_t NodePacker::RandomNode(const Shape& shape) {
  auto possible = [](double cost) { return cost != kImpossible; };
  auto count = std::count_if(shape.cost.begin(), shape.cost.end(), possible);
  if (count == 0) return nodes_.size();
  uint64_t skip = rng_.Below(static_cast<uint64_t>(count));
  size_t n = 0;
  while (!possible(shape.cost[n]) || skip-- > 0) ++n;
  return n;
}

int NodePacker::RandomCard(const NodeLeft& left, const PodSpec& pod) {
  std::array<int, kCardsPerNodeMax> fitting;
  size_t count = 0;
  for (int card = 0; card < left.cards; ++card) {
    if (FitsCard(left, pod, card)) fitting[count++] = card;
  }
  return fitting[rng_.Below(count)];
}

std::optional<Spot> NodePacker::Find(const PodSpec& pod) {
  const Shape& shape = ShapeOf(pod);
  size_t node = rule_.IsRandom() ? RandomNode(shape) : LowestNode(shape);
  if (node == nodes_.size()) return std::nullopt;
  if (!pod.IsFraction()) return Spot{node, 0};
  return Spot{node, rule_.IsRandom() ? RandomCard(nodes_[node], pod) : BestCard(nodes_[node], pod)};
}

void NodePacker::Commit(const PodSpec& pod, const Spot& spot) {
  Take(nodes_[spot.node], pod, spot.card);
  changes_.push_back(static_cast<uint32_t>(spot.node));
}

std::string NodePacker::Explain(const PodSpec& pod, const Spot& spot) const {
  std::vector<bool> models = AllowedModels(pod);
  size_t impossible = 0;
  for (const NodeLeft& left : nodes_) impossible += CostOn(left, pod, models) == kImpossible;
  return fmt::format("node {}: {}; {} of {} nodes could not hold it", spot.node,
                     rule_.Explain(nodes_[spot.node], pod, spot.card), impossible, nodes_.size());
}

}  // namespace snug::placement
