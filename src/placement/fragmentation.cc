#include "placement/fragmentation.h"

#include <algorithm>

namespace snug::placement {

Fragmentation::Fragmentation(const std::vector<PodSpec>& typical)
    : pods_(static_cast<int64_t>(typical.size())) {
  for (const PodSpec& pod : typical) cpu_steps_.push_back(pod.cpu_milli);
  std::sort(cpu_steps_.begin(), cpu_steps_.end());
  cpu_steps_.erase(std::unique(cpu_steps_.begin(), cpu_steps_.end()), cpu_steps_.end());
  fractions_.resize(cpu_steps_.size() + 1);  // row 0: too little CPU for any
  wholes_.resize(cpu_steps_.size() + 1);
  for (const PodSpec& pod : typical) {
    size_t row = CpuRow(pod.cpu_milli);
    if (pod.IsFraction()) fractions_[row][std::clamp(pod.card_milli, 0, kCardMilli)] += 1;
    if (pod.cards > 0 && !pod.IsFraction()) wholes_[row][std::min(pod.cards, kCardsPerNodeMax)] += 1;
  }
  auto accumulate = [](auto& rows) {
    for (size_t row = 0; row < rows.size(); ++row) {
      for (size_t i = 1; i < rows[row].size(); ++i) rows[row][i] += rows[row][i - 1];
    }
    for (size_t row = 1; row < rows.size(); ++row) {
      for (size_t i = 0; i < rows[row].size(); ++i) rows[row][i] += rows[row - 1][i];
    }
  };
  accumulate(fractions_);
  accumulate(wholes_);
}

size_t Fragmentation::CpuRow(int64_t cpu_milli) const {
  return static_cast<size_t>(std::upper_bound(cpu_steps_.begin(), cpu_steps_.end(), cpu_milli) -
                             cpu_steps_.begin());
}

int64_t Fragmentation::Of(const NodeLeft& left) const {
  size_t row = CpuRow(left.cpu_milli);
  const auto& fractions = fractions_[row];
  int64_t idle = 0, broken = 0;
  int whole = 0, largest = 0;
  for (int card = 0; card < left.cards; ++card) {
    int milli = left.card_milli[card];
    idle += milli;
    largest = std::max(largest, milli);
    if (milli == kCardMilli) {
      ++whole;
    } else {
      broken += milli;
    }
  }
  int64_t useful_fractions = fractions[largest], useful_wholes = wholes_[row][whole];
  int64_t sum = idle * (pods_ - useful_fractions - useful_wholes) + broken * useful_wholes;
  for (int card = 0; card < left.cards; ++card) {
    sum += left.card_milli[card] * (useful_fractions - fractions[left.card_milli[card]]);
  }
  return sum;
}

}  // namespace snug::placement
