#include "serving/compute_gate.h"

namespace snug::serving {

ComputeGate::Member::Member(ComputeGate& gate, double weight, int instances, int threads)
    : gate_(gate), wanted_(instances * threads), threads_(threads), number_([&] {
        std::lock_guard lock(gate.mutex_);
        return gate.shares_.Add(weight);
      }()) {
  gate_.wanted_ += wanted_;
}

ComputeGate::Member::~Member() {
  gate_.wanted_ -= wanted_;
  std::lock_guard lock(gate_.mutex_);
  gate_.shares_.Remove(number_);
}

ComputeGate::Pass& ComputeGate::Pass::operator=(Pass&& other) noexcept {
  End();
  member_ = std::exchange(other.member_, nullptr);
  begun_ = std::exchange(other.begun_, false);
  since_ = other.since_;
  return *this;
}

void ComputeGate::Pass::End() {
  if (member_ != nullptr) member_->gate_.Leave(*member_, member_->gate_.clock_.Now() - since_);
  member_ = nullptr;
  begun_ = false;
}

void ComputeGate::Pass::Renew() {
  if (member_ != nullptr) member_->gate_.Renew(*this);
}

ComputeGate::Pass ComputeGate::Begun(Member& member) const {
  Pass pass(&member);
  pass.since_ = clock_.Now();
  return pass;
}

ComputeGate::Pass ComputeGate::TryEnter(Member& member) {
  if (AllFit()) return Pass::Free();
  std::lock_guard lock(mutex_);
  return shares_.TryEnter(member.number_, member.threads_) ? Begun(member) : Pass();
}

ComputeGate::Pass ComputeGate::Enter(Member& member, const std::function<void()>& on_wait) {
  if (Pass pass = TryEnter(member)) return pass;
  on_wait();
  Waiter waiter;
  std::unique_lock lock(mutex_);
  const ComputeShares::Ticket ticket = ++tickets_;
  if (!shares_.Enter(member.number_, member.threads_, ticket)) {
    waiting_[ticket] = &waiter;
    waiter.turn.wait(lock, [&] { return waiter.begun; });
  }
  return Begun(member);
}

void ComputeGate::Renew(Pass& pass) {
  const Member& member = *pass.member_;
  Waiter waiter;
  std::unique_lock lock(mutex_);
  const ComputeShares::Ticket ticket = ++tickets_;
  waiting_[ticket] = &waiter;
  Call(shares_.Again(member.number_, member.threads_, clock_.Now() - pass.since_, ticket));
  waiter.turn.wait(lock, [&] { return waiter.begun; });
  pass.since_ = clock_.Now();
}

void ComputeGate::Leave(Member& member, Duration took) {
  std::lock_guard lock(mutex_);
  Call(shares_.Leave(member.number_, member.threads_, took));
}

void ComputeGate::Call(const std::vector<ComputeShares::Ticket>& begun) {
  for (ComputeShares::Ticket ticket : begun) {
    Waiter& waiter = *waiting_.extract(ticket).mapped();
    waiter.begun = true;
    waiter.turn.notify_one();
  }
}

}  // namespace snug::serving
