// A queue whose workers get the next requests of the sequences that are theirs: the acting side of Sequencer.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "serving/sequence_plan.h"
#include "serving/work_queue.h"

namespace snug::serving {

// A row of an execution. No job: nothing to do in its slot.
struct SequenceMember {
  std::unique_ptr<Job> job;
  SequenceMark mark;
  uint64_t sequence = 0;
  std::vector<Tensor> states;  // empty: zeros
};

struct SequenceBatch {
  size_t instance = 0;
  std::vector<SequenceMember> rows;
};

// Workers are the instances, by their numbers. A request that the sequencer refuses is taken and answered
// with its error. What is no Batchable is handed out alone and first come first served, before the sequences.
class SequenceQueue : public JobQueue {
 public:
  // Turns rows into the job that executes them, before it lets go of them.
  using MakeJob = std::function<std::unique_ptr<Job>(SequenceBatch)>;

  SequenceQueue(size_t limit, const SequencePlan& plan, const Clock& clock, MakeJob make_job);

  bool Await(size_t worker) override;
  std::unique_ptr<Job> TryPop(size_t worker) override;
  void FailUnwanted(TimePoint now) override;
  TimePoint EarliestEnd() const override;
  void Close() override;
  size_t size() const override;
  bool IsFreeFor(std::span<const Tensor>) const override { return false; }

  // For the job that Pop made, before the worker comes back.
  void KeepStates(uint64_t sequence, std::vector<Tensor> states);
  // The instance has forgotten its sequences: they end when its worker comes back.
  void ForgetInstance(size_t instance);

 protected:
  Pushed PushUpTo(size_t limit, std::unique_ptr<Job>& job, bool* waits) override;

 private:
  struct Dropped {
    std::unique_ptr<Job> job;
    bool followed = false;  // another that was dropped
  };

  std::unique_ptr<Job> Next(size_t worker);
  void CallPlaced();
  Status AddToSequencer(std::unique_ptr<Job>& job);
  void FinishLast(size_t worker, TimePoint now, std::vector<Dropped>& dropped);
  SequenceBatch Collect(size_t worker, const SequenceWork& work);
  void TakeOut(const std::vector<SequenceDrop>& drops, std::vector<Dropped>& dropped);
  void FailDropped(std::vector<Dropped>& dropped, TimePoint now) const;
  void WaitForWork(std::unique_lock<std::mutex>& lock, TimePoint wake);

  const SequencePlan& plan_;
  const Clock& clock_;
  const MakeJob make_job_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  Sequencer sequencer_;
  std::unordered_map<uint64_t, std::unique_ptr<Job>> jobs_;   // those in the sequencer, by id
  std::unordered_map<uint64_t, std::vector<Tensor>> states_;  // by sequence
  std::vector<uint8_t> executing_, forgotten_;                // by worker
  std::vector<std::unique_ptr<Job>> next_;                    // by worker, which alone touches its own
  std::deque<std::unique_ptr<Job>> alone_;
  uint64_t ids_ = 0;
  uint64_t placed_seen_ = 0;
  size_t idle_workers_ = 0;
  bool closed_ = false;
};

}  // namespace snug::serving
