#include "placement/fragmentation.h"

#include <algorithm>
#include <set>

namespace snug::placement {
namespace {

bool AsksFor(const PodSpec& pod, const std::string& model) {
  return std::find(pod.card_models.begin(), pod.card_models.end(), model) != pod.card_models.end();
}

}  // namespace

Fragmentation::Fragmentation(const std::vector<PodSpec>& typical, const std::vector<std::string>& card_models)
    : pods_(static_cast<int64_t>(typical.size())) {
  FindSteps(typical);
  std::set<std::string> asked_for;
  for (const PodSpec& pod : typical) asked_for.insert(pod.card_models.begin(), pod.card_models.end());
  std::vector<std::string> own_table = {""};
  for (const std::string& model : card_models) {
    bool own = asked_for.contains(model) && own_table.size() < kModelTablesMax;
    table_of_model_.push_back(own ? own_table.size() : 0);
    if (own) own_table.push_back(model);
  }
  tables_.resize(own_table.size());
  for (size_t t = 0; t < tables_.size(); ++t) {
    tables_[t].fractions.resize(cpu_steps_.size() + 1);  // row 0: too little CPU for any
    tables_[t].wholes.resize(cpu_steps_.size() + 1);
    for (const PodSpec& pod : typical) {
      bool any = pod.card_models.empty() || card_models.empty();
      if (any || (t > 0 && AsksFor(pod, own_table[t]))) Count(tables_[t], pod);
    }
    Accumulate(tables_[t]);
  }
}

void Fragmentation::FindSteps(const std::vector<PodSpec>& typical) {
  std::vector<int64_t> all;
  all.reserve(typical.size());
  for (const PodSpec& pod : typical) all.push_back(pod.cpu_milli);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  size_t stride = (all.size() + kCpuStepsMax - 1) / kCpuStepsMax;
  for (size_t i = 0; i < all.size(); i += stride) {
    cpu_steps_.push_back(all[std::min(i + stride, all.size()) - 1]);
  }
}

// The highest step that is at most so much CPU; 0: none.
size_t Fragmentation::CpuRow(int64_t cpu_milli) const {
  return static_cast<size_t>(std::upper_bound(cpu_steps_.begin(), cpu_steps_.end(), cpu_milli) -
                             cpu_steps_.begin());
}

// The lowest step that is at least so much.
size_t Fragmentation::StepRow(int64_t cpu_milli) const {
  return static_cast<size_t>(std::lower_bound(cpu_steps_.begin(), cpu_steps_.end(), cpu_milli) -
                             cpu_steps_.begin()) +
         1;
}

void Fragmentation::Count(Table& table, const PodSpec& pod) const {
  size_t row = StepRow(pod.cpu_milli);
  if (pod.IsFraction()) {
    table.fractions[row][std::clamp(pod.card_milli, 0, kCardMilli)] += 1;
  } else if (pod.cards > 0) {
    table.wholes[row][std::min(pod.cards, kCardsPerNodeMax)] += 1;
  }
}

void Fragmentation::Accumulate(Table& table) {
  auto accumulate = [](auto& rows) {
    for (size_t row = 0; row < rows.size(); ++row) {
      for (size_t i = 1; i < rows[row].size(); ++i) rows[row][i] += rows[row][i - 1];
    }
    for (size_t row = 1; row < rows.size(); ++row) {
      for (size_t i = 0; i < rows[row].size(); ++i) rows[row][i] += rows[row - 1][i];
    }
  };
  accumulate(table.fractions);
  accumulate(table.wholes);
}

int64_t Fragmentation::Of(const NodeLeft& left) const {
  size_t row = CpuRow(left.cpu_milli);
  auto model = static_cast<size_t>(left.model);
  const Table& table = tables_[model < table_of_model_.size() ? table_of_model_[model] : 0];
  const auto& fractions = table.fractions[row];
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
  int64_t useful_fractions = fractions[largest], useful_wholes = table.wholes[row][whole];
  int64_t sum = idle * (pods_ - useful_fractions - useful_wholes) + broken * useful_wholes;
  for (int card = 0; card < left.cards; ++card) {
    sum += left.card_milli[card] * (useful_fractions - fractions[left.card_milli[card]]);
  }
  return sum;
}

}  // namespace snug::placement
