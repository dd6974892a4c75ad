#include "serving/compute_shares.h"

#include <algorithm>

namespace snug::serving {
namespace {

// Weight of the newest execution in what is typical.
constexpr double kTypicalStep = 0.125;

}  // namespace

ComputeShares::Member ComputeShares::Add(double weight) {
  Model model;
  model.weight = weight;
  models_.emplace(++members_, std::move(model));
  return members_;
}

void ComputeShares::Remove(Member member) {
  models_.erase(member);
}

void ComputeShares::ComeBack(Model& model) const {
  if (!model.idle()) return;
  double longest = 0;
  for (const auto& [member, other] : models_) longest = std::max(longest, other.step);
  model.charged = std::max(model.charged, served_ - kCreditExecutions * longest);
}

// One that is too large for the threads there are runs alone.
bool ComputeShares::MayBegin(const Model& model, int threads) const {
  if (busy_ == 0 || busy_ + threads <= threads_) return true;
  if (model.running > 0 || busy_ + threads > threads_ + lend_max_) return false;
  return std::all_of(models_.begin(), models_.end(), [&](const auto& entry) {
    const Model& other = entry.second;
    return &other == &model || other.idle() || model.Charge() < other.Charge();
  });
}

void ComputeShares::Begin(Model& model, int threads) {
  served_ = std::max(served_, model.Charge());
  model.running += threads;
  busy_ += threads;
}

bool ComputeShares::TryEnter(Member member, int threads) {
  Model& model = models_.at(member);
  ComeBack(model);
  // Whoever waits was here before; only one that is behind all of them goes first.
  const bool is_next = std::all_of(models_.begin(), models_.end(), [&](const auto& entry) {
    return entry.second.waiting.empty() ||
           (&entry.second != &model && model.Charge() < entry.second.Charge());
  });
  if (!is_next || !MayBegin(model, threads)) return false;
  Begin(model, threads);
  return true;
}

bool ComputeShares::Enter(Member member, int threads, Ticket ticket) {
  if (TryEnter(member, threads)) return true;
  models_.at(member).waiting.push_back({ticket, threads});
  return false;
}

std::vector<ComputeShares::Ticket> ComputeShares::Again(Member member, int threads, Duration took,
                                                        Ticket ticket) {
  models_.at(member).waiting.push_back({ticket, threads});
  return Leave(member, threads, took);
}

ComputeShares::Model* ComputeShares::Next() {
  Model* next = nullptr;
  for (auto& [member, model] : models_) {
    if (!model.waiting.empty() && (next == nullptr || model.Charge() < next->Charge())) next = &model;
  }
  return next;
}

std::vector<ComputeShares::Ticket> ComputeShares::Leave(Member member, int threads, Duration took) {
  Model& left = models_.at(member);
  const double seconds = std::max(Seconds(took), 0.0);
  left.charged += seconds * threads / left.weight;
  left.typical += (seconds - left.typical) * kTypicalStep;
  left.step = left.typical * threads / left.weight;
  left.running -= threads;
  busy_ -= threads;
  std::vector<Ticket> begun;
  for (Model* next = Next(); next != nullptr && MayBegin(*next, next->waiting.front().threads);
       next = Next()) {
    const Waiting waiting = next->waiting.front();
    next->waiting.pop_front();
    Begin(*next, waiting.threads);
    begun.push_back(waiting.ticket);
  }
  return begun;
}

}  // namespace snug::serving
