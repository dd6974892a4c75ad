#include "serving/sequence_queue.h"

#include <algorithm>
#include <utility>

#include "serving/batch_tensors.h"

namespace snug::serving {

SequenceQueue::SequenceQueue(size_t limit, const SequencePlan& plan, const Clock& clock, MakeJob make_job)
    : JobQueue(limit),
      plan_(plan),
      clock_(clock),
      make_job_(std::move(make_job)),
      sequencer_(plan.policy()),
      executing_(plan.policy().instances),
      forgotten_(plan.policy().instances),
      next_(plan.policy().instances) {}

Status SequenceQueue::AddToSequencer(std::unique_ptr<Job>& job) {
  const Batchable& batchable = *job->batchable();
  SequenceRequest request;
  request.id = ++ids_;
  request.mark = batchable.sequence();
  request.arrival = job->queued;
  request.deadline = job->deadline;
  request.signature = BatchShapeOf(batchable.inputs()).signature;
  SNUG_RETURN_IF_ERROR(sequencer_.Add(request, job->queued));
  jobs_[request.id] = std::move(job);
  return {};
}

JobQueue::Pushed SequenceQueue::PushUpTo(size_t limit, std::unique_ptr<Job>& job, bool* waits) {
  Status refusal;
  const Batchable* batchable = job->batchable();
  if (batchable != nullptr) refusal = plan_.CheckInputs(batchable->inputs(), batchable->sequence().id);
  if (refusal.ok()) {
    std::lock_guard lock(mutex_);
    if (closed_) return Pushed::kClosed;
    if (alone_.size() + sequencer_.size() >= limit + idle_workers_) return Pushed::kFull;
    if (batchable != nullptr) refusal = AddToSequencer(job);
    if (batchable == nullptr) alone_.push_back(std::move(job));
    CallPlaced();
    *waits = true;  // perhaps for its sequence's instance, while another one idles
  }
  if (refusal.ok()) {
    ready_.notify_all();  // only one of the workers may have it
  } else {
    std::unique_ptr<Job>(std::move(job))->Fail(refusal);
  }
  return Pushed::kYes;
}

// Sequences that waited may have got a place at an instance whose worker sleeps.
void SequenceQueue::CallPlaced() {
  const uint64_t placed = sequencer_.placed_later();
  if (std::exchange(placed_seen_, placed) != placed) ready_.notify_all();
}

// A request that nobody wants any more leaves a hole in its sequence, so what follows it goes too.
void SequenceQueue::TakeOut(const std::vector<SequenceDrop>& drops, std::vector<Dropped>& dropped) {
  for (const SequenceDrop& drop : drops) {
    auto found = jobs_.find(drop.request);
    dropped.push_back({std::move(found->second), drop.cause != 0});
    jobs_.erase(found);
  }
}

void SequenceQueue::FailDropped(std::vector<Dropped>& dropped, TimePoint now) const {
  for (Dropped& one : dropped) {
    Status status = StillWanted(*one.job, now);
    if (one.followed || status.ok()) {
      status = Error(Code::kAborted,
                     "sequence {} of model '{}' was broken off: {}; begin it anew with the START flag",
                     one.job->batchable()->sequence().id.Text(), plan_.policy().model,
                     one.followed ? "an earlier request of it was not executed" : "its state was lost");
    }
    one.job->Fail(status);
  }
  dropped.clear();
}

void SequenceQueue::FinishLast(size_t worker, TimePoint now, std::vector<Dropped>& dropped) {
  if (std::exchange(executing_[worker], uint8_t{0}) != 0) sequencer_.Done(worker, now);
  if (std::exchange(forgotten_[worker], uint8_t{0}) != 0) TakeOut(sequencer_.EndAll(worker), dropped);
}

SequenceBatch SequenceQueue::Collect(size_t worker, const SequenceWork& work) {
  SequenceBatch batch{worker, {}};
  for (const SequenceRow& row : work.rows) {
    SequenceMember& member = batch.rows.emplace_back();
    if (row.request == 0) continue;
    member.mark = row.mark;
    member.sequence = row.sequence;
    member.job = std::move(jobs_.extract(row.request).mapped());
    if (auto kept = states_.find(row.sequence); kept != states_.end()) member.states = kept->second;
  }
  executing_[worker] = 1;
  return batch;
}

void SequenceQueue::WaitForWork(std::unique_lock<std::mutex>& lock, TimePoint wake) {
  if (wake == TimePoint::max()) {
    ready_.wait(lock);
  } else {
    ready_.wait_for(lock, std::max(wake - clock_.Now(), Duration::zero()));
  }
}

// Rows are taken for good: the sequencer gives an instance its next ones when it has done with the last.
bool SequenceQueue::Await(size_t worker) {
  if (next_[worker] == nullptr) next_[worker] = Next(worker);
  return next_[worker] != nullptr;
}

std::unique_ptr<Job> SequenceQueue::TryPop(size_t worker) {
  return std::move(next_[worker]);
}

std::unique_ptr<Job> SequenceQueue::Next(size_t worker) {
  std::vector<Dropped> dropped;
  std::unique_lock lock(mutex_);
  FinishLast(worker, clock_.Now(), dropped);
  for (;;) {
    const TimePoint now = clock_.Now();
    TakeOut(sequencer_.Expire(now), dropped);
    if (!dropped.empty()) {
      lock.unlock();
      FailDropped(dropped, now);
      lock.lock();
      continue;
    }
    if (!alone_.empty()) {
      std::unique_ptr<Job> job = std::move(alone_.front());
      alone_.pop_front();
      return job;
    }
    const SequenceWork work = sequencer_.Take(worker, now);
    for (uint64_t ended : sequencer_.TakeEnded()) states_.erase(ended);
    CallPlaced();
    if (closed_ && sequencer_.empty()) ready_.notify_all();  // so that the others end too
    if (!work.rows.empty()) return make_job_(Collect(worker, work));
    if (closed_ && sequencer_.empty()) return nullptr;
    ++idle_workers_;
    WaitForWork(lock, work.wake);
    --idle_workers_;
  }
}

void SequenceQueue::FailUnwanted(TimePoint now) {
  std::vector<Dropped> dropped;
  std::vector<std::unique_ptr<Job>> alone;
  {
    std::lock_guard lock(mutex_);
    TakeOut(sequencer_.Expire(now), dropped);
    std::vector<uint64_t> cancelled;
    for (const auto& [id, job] : jobs_) {
      if (!StillWanted(*job, now).ok()) cancelled.push_back(id);
    }
    for (uint64_t id : cancelled) TakeOut(sequencer_.Remove(id), dropped);
    CallPlaced();
    auto keep = std::stable_partition(alone_.begin(), alone_.end(),
                                      [&](const auto& job) { return StillWanted(*job, now).ok(); });
    std::move(keep, alone_.end(), std::back_inserter(alone));
    alone_.erase(keep, alone_.end());
  }
  FailDropped(dropped, now);
  for (auto& job : alone) job->Fail(StillWanted(*job, now));
}

TimePoint SequenceQueue::EarliestEnd() const {
  std::lock_guard lock(mutex_);
  TimePoint earliest = TimePoint::max();
  for (const auto& [id, job] : jobs_) earliest = std::min(earliest, job->deadline);
  for (const auto& job : alone_) earliest = std::min(earliest, job->deadline);
  return earliest;
}

void SequenceQueue::Close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    sequencer_.EndIdle();
  }
  ready_.notify_all();
}

size_t SequenceQueue::size() const {
  std::lock_guard lock(mutex_);
  return alone_.size() + sequencer_.size();
}

void SequenceQueue::KeepStates(uint64_t sequence, std::vector<Tensor> states) {
  std::lock_guard lock(mutex_);
  states_[sequence] = std::move(states);
}

void SequenceQueue::ForgetInstance(size_t instance) {
  std::lock_guard lock(mutex_);
  forgotten_[instance] = 1;
}

}  // namespace snug::serving
