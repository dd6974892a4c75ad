#include "placement/node_packer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace snug::placement {
namespace {

bool Barred(const std::vector<bool>& barred, size_t node) {
  return !barred.empty() && barred[node];
}

}  // namespace

NodePacker::NodePacker(const std::vector<NodeSpec>& nodes, const NodeRule& rule, uint64_t seed,
                       size_t cached_costs_max)
    : rule_(rule),
      rng_(seed),
      model_names_(CardModels(nodes)),
      shapes_max_(std::max<size_t>(1, cached_costs_max / std::max<size_t>(1, nodes.size()))) {
  std::map<std::string, int> number;
  for (const std::string& name : model_names_) number.emplace(name, static_cast<int>(number.size()));
  for (const NodeSpec& node : nodes) {
    nodes_.push_back(Untouched(node, number[node.card_model]));
    ids_.push_back(node.id);
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
  auto found = shapes_.find(pod);
  if (found != shapes_.end()) {
    Sync(found->second, pod);
  } else {
    if (shapes_.size() >= shapes_max_) ForgetOldest();
    found = shapes_.try_emplace(pod).first;
    found->second.models = AllowedModels(pod);
    ScoreAll(found->second, pod);
  }
  found->second.asked = ++asked_;
  return found->second;
}

void NodePacker::ForgetOldest() {
  shapes_.erase(std::min_element(shapes_.begin(), shapes_.end(), [](const auto& a, const auto& b) {
    return a.second.asked < b.second.asked;
  }));
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
    // Cards with the same left cost the same: no rule looks at their memory.
    bool seen = false;
    for (int other = 0; other < card && !seen; ++other) {
      seen = left.card_milli[other] == left.card_milli[card] && FitsCard(left, pod, other);
    }
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
  shape.block_fits.resize(shape.block_lowest.size());
  for (size_t block = 0; block < shape.block_lowest.size(); ++block) RefreshBlock(shape, block);
  shape.synced = changes_dropped_ + changes_.size();
}

void NodePacker::Sync(Shape& shape, const PodSpec& pod) const {
  size_t changed = changes_dropped_ + changes_.size();
  if (shape.synced < changes_dropped_ || changed - shape.synced > nodes_.size()) return ScoreAll(shape, pod);
  for (; shape.synced < changed; ++shape.synced) {
    uint32_t n = changes_[shape.synced - changes_dropped_];
    shape.cost[n] = CostOn(nodes_[n], pod, shape.models);
    RefreshBlock(shape, n / kBlock);
  }
}

void NodePacker::RefreshBlock(Shape& shape, size_t block) const {
  auto first = shape.cost.begin() + static_cast<ptrdiff_t>(block * kBlock);
  auto last = shape.cost.begin() + static_cast<ptrdiff_t>(std::min(shape.cost.size(), (block + 1) * kBlock));
  shape.block_lowest[block] = *std::min_element(first, last);
  if (rule_.IsRandom()) shape.block_fits[block] = std::count_if(first, last, Possible);
}

// A shape that is further behind than there are nodes is scored anew, so older changes are of no use.
void NodePacker::NoteChange(size_t node) {
  if (changes_.size() >= 2 * nodes_.size()) {
    changes_.erase(changes_.begin(), changes_.begin() + static_cast<ptrdiff_t>(nodes_.size()));
    changes_dropped_ += nodes_.size();
  }
  changes_.push_back(static_cast<uint32_t>(node));
}

size_t NodePacker::LowestNode(const Shape& shape) const {
  auto lowest = std::min_element(shape.block_lowest.begin(), shape.block_lowest.end());
  if (lowest == shape.block_lowest.end() || !Possible(*lowest)) return nodes_.size();
  size_t n = static_cast<size_t>(lowest - shape.block_lowest.begin()) * kBlock;
  while (shape.cost[n] != *lowest) ++n;
  return n;
}

size_t NodePacker::LowestNode(const Shape& shape, const std::vector<bool>& barred) const {
  size_t best = nodes_.size();
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (barred[n] || !Possible(shape.cost[n])) continue;
    if (best == nodes_.size() || shape.cost[n] < shape.cost[best]) best = n;
  }
  return best;
}

size_t NodePacker::RandomNode(const Shape& shape) {
  auto count = std::accumulate(shape.block_fits.begin(), shape.block_fits.end(), ptrdiff_t{0});
  if (count == 0) return nodes_.size();
  auto skip = static_cast<ptrdiff_t>(rng_.Below(static_cast<uint64_t>(count)));
  size_t block = 0;
  for (; skip >= shape.block_fits[block]; ++block) skip -= shape.block_fits[block];
  size_t n = block * kBlock;
  while (!Possible(shape.cost[n]) || skip-- > 0) ++n;
  return n;
}

size_t NodePacker::RandomNode(const Shape& shape, const std::vector<bool>& barred) {
  std::vector<size_t> fitting;
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (Possible(shape.cost[n]) && !barred[n]) fitting.push_back(n);
  }
  return fitting.empty() ? nodes_.size() : fitting[rng_.Below(fitting.size())];
}

int NodePacker::RandomCard(const NodeLeft& left, const PodSpec& pod) {
  std::array<int, kCardsPerNodeMax> fitting;
  size_t count = 0;
  for (int card = 0; card < left.cards; ++card) {
    if (FitsCard(left, pod, card)) fitting[count++] = card;
  }
  return fitting[rng_.Below(count)];
}

std::optional<Spot> NodePacker::Find(const PodSpec& pod, const std::vector<bool>& barred) {
  const Shape& shape = ShapeOf(pod);
  size_t node = nodes_.size();
  if (rule_.IsRandom()) {
    node = barred.empty() ? RandomNode(shape) : RandomNode(shape, barred);
  } else {
    node = barred.empty() ? LowestNode(shape) : LowestNode(shape, barred);
  }
  if (node == nodes_.size()) return std::nullopt;
  if (!pod.IsFraction()) return Spot{node, 0};
  return Spot{node, rule_.IsRandom() ? RandomCard(nodes_[node], pod) : BestCard(nodes_[node], pod)};
}

void NodePacker::Commit(const PodSpec& pod, const Spot& spot) {
  Take(nodes_[spot.node], pod, spot.card);
  NoteChange(spot.node);
}

void NodePacker::Set(size_t node, const NodeLeft& left) {
  nodes_[node] = left;
  NoteChange(node);
}

NodePacker::PassedOver NodePacker::Judge(const PodSpec& pod, size_t chosen,
                                         const std::vector<bool>& barred) const {
  PassedOver over;
  over.next = nodes_.size();
  auto shape = shapes_.find(pod);
  bool cached = shape != shapes_.end() && shape->second.synced == changes_dropped_ + changes_.size();
  std::vector<bool> models = AllowedModels(pod);
  std::map<Lack, size_t> lacks;
  size_t other_models = 0, kept_off = 0, refused = 0;
  double lowest = kImpossible;
  for (size_t n = 0; n < nodes_.size(); ++n) {
    const NodeLeft& left = nodes_[n];
    double cost = cached ? shape->second.cost[n] : CostOn(left, pod, models);
    Lack lack = cost == kImpossible ? LackOf(left, pod) : Lack::kNothing;
    if (Barred(barred, n)) {
      ++kept_off;
    } else if (!models.empty() && !models[left.model]) {
      ++other_models;
    } else if (lack != Lack::kNothing) {
      ++lacks[lack];
    } else if (cost == kImpossible) {
      ++refused;
    } else {
      ++over.fits;
      if (n == chosen || (over.next != nodes_.size() && cost >= lowest)) continue;
      over.next = n;
      lowest = cost;
    }
  }
  auto note = [&](size_t count, std::string_view one, std::string_view several) {
    if (count > 0) over.lacks[std::string(count == 1 ? one : several)] += count;
  };
  for (auto [lack, count] : lacks) note(count, LackText(lack, true), LackText(lack, false));
  std::string asked = fmt::format("{}", fmt::join(pod.card_models, " or "));
  note(other_models, "has other cards than " + asked, "have other cards than " + asked);
  note(kept_off, "is kept from it", "are kept from it");
  note(refused, "is refused by the rule", "are refused by the rule");
  return over;
}

std::string NodePacker::Where(const PodSpec& pod, size_t node, int card) const {
  return pod.IsFraction() ? fmt::format("node {}, card {}", ids_[node], card)
                          : fmt::format("node {}", ids_[node]);
}

std::string NodePacker::NextBest(const PodSpec& pod, const Spot& spot, size_t next) const {
  int card = pod.IsFraction() ? BestCard(nodes_[next], pod) : 0;
  bool as_good = rule_.Cost(nodes_[next], pod, card) == rule_.Cost(nodes_[spot.node], pod, spot.card);
  return fmt::format("{}, {}", Where(pod, next, card),
                     as_good ? "is as good and comes later" : rule_.Explain(nodes_[next], pod, card));
}

std::string NodePacker::Explain(const PodSpec& pod, const Spot& spot, const std::vector<bool>& barred) const {
  PassedOver over = Judge(pod, spot.node, barred);
  std::string text = fmt::format("{}: {}", Where(pod, spot.node, spot.card),
                                 rule_.Explain(nodes_[spot.node], pod, spot.card));
  if (rule_.IsRandom()) {
    text += fmt::format(" from {} that fit", over.fits);
  } else if (over.next == nodes_.size()) {
    text += "; no other fits";
  } else {
    text += fmt::format("; the next best of {} that fit, {}", over.fits, NextBest(pod, spot, over.next));
  }
  for (const auto& [lack, count] : over.lacks) text += fmt::format("; {} {}", count, lack);
  return text;
}

std::string NodePacker::ExplainNone(const PodSpec& pod, const std::vector<bool>& barred) const {
  std::vector<std::string> lacks;
  for (const auto& [lack, count] : Judge(pod, nodes_.size(), barred).lacks) {
    lacks.push_back(fmt::format("{} {}", count, lack));
  }
  if (lacks.empty()) return "there is no node";
  return fmt::format("no node can hold it: {}", fmt::join(lacks, ", "));
}

}  // namespace snug::placement
