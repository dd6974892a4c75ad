// The part of Servable that waits for its turn among all models' executions.
#include <memory>

#include "serving/servable.h"

namespace snug::serving {

void Servable::ShareCompute(ComputeGate& gate) {
  for (const auto& [name, signature] : signatures_) signature->ShareCompute(gate);
  if (!info_.only_computes || engine_process_ != 0 || pipeline_) return;
  own_share_ = std::make_unique<ComputeGate::Member>(
      gate, config_.compute_weight, static_cast<int>(instances_.size()), info_.threads_per_instance);
  share_ = own_share_.get();
}

ComputeGate::Pass Servable::AwaitTurn() {
  ComputeGate::Member* share = share_.load(std::memory_order_acquire);
  return share != nullptr ? share->Enter([this] { on_wait_(TimePoint::min()); }) : ComputeGate::Pass::Free();
}

ComputeGate::Pass Servable::TryTurn() {
  ComputeGate::Member* share = share_.load(std::memory_order_acquire);
  return share != nullptr ? share->TryEnter() : ComputeGate::Pass::Free();
}

// A job is taken no sooner than it can be executed: until then it may expire, and batches grow.
std::unique_ptr<Job> Servable::TakeJob(JobQueue& queue, size_t worker, bool executes,
                                       ComputeGate::Pass& pass) {
  for (;;) {
    if (pass.counted() && queue.size() > 0) {
      pass.Renew();
    } else {
      pass.End();
      if (!queue.Await(worker)) return nullptr;
      pass = executes ? AwaitTurn() : ComputeGate::Pass::Free();
    }
    if (std::unique_ptr<Job> job = queue.TryPop(worker)) return job;
    pass.End();
  }
}

}  // namespace snug::serving
