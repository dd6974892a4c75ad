#include "serving/work_queue.h"

#include <algorithm>

namespace snug::serving {

Status StillWanted(const Job& job, TimePoint now) {
  if (job.cancelled && job.cancelled->load(std::memory_order_relaxed)) {
    return Status(Code::kCancelled, "the client cancelled the request before it was executed");
  }
  if (now < job.deadline) return {};
  return Error(Code::kDeadlineExceeded, "the deadline passed after {:.3f} s of waiting for an instance",
               Seconds(now - job.queued));
}

WorkQueue::Pushed WorkQueue::PushUpTo(size_t limit, std::unique_ptr<Job>& job, bool* waits) {
  std::lock_guard lock(mutex_);
  if (closed_) return Pushed::kClosed;
  if (jobs_.size() >= limit + idle_workers_) return Pushed::kFull;
  jobs_.push_back(std::move(job));
  *waits = jobs_.size() > idle_workers_;
  WakeOne();
  return Pushed::kYes;
}

std::unique_ptr<Job> JobQueue::Pop(size_t worker) {
  while (Await(worker)) {
    if (std::unique_ptr<Job> job = TryPop(worker)) return job;
  }
  return nullptr;
}

bool WorkQueue::Await(size_t) {
  std::unique_lock lock(mutex_);
  ++idle_workers_;
  while (jobs_.empty() && !closed_) Sleep(lock);
  --idle_workers_;
  return !jobs_.empty();
}

void WorkQueue::Sleep(std::unique_lock<std::mutex>& lock) {
  Sleeper sleeper;
  sleepers_.push_back(&sleeper);
  sleeper.wake.wait(lock, [&] { return sleeper.woken; });
}

// Notifies under the lock: the sleeper lies on its thread's stack and may be gone as soon as it sees `woken`.
void WorkQueue::WakeOne() {
  if (sleepers_.empty()) return;  // a worker that is awake looks at the queue before it sleeps
  Sleeper& sleeper = *sleepers_.back();
  sleepers_.pop_back();
  sleeper.woken = true;
  sleeper.wake.notify_one();
}

std::unique_ptr<Job> WorkQueue::TryPop(size_t) {
  std::lock_guard lock(mutex_);
  if (jobs_.empty()) return nullptr;
  std::unique_ptr<Job> job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

std::vector<std::unique_ptr<Job>> WorkQueue::TakeUnwanted(TimePoint now) {
  std::vector<std::unique_ptr<Job>> taken;
  std::lock_guard lock(mutex_);
  auto keep = std::stable_partition(jobs_.begin(), jobs_.end(),
                                    [&](const auto& job) { return StillWanted(*job, now).ok(); });
  std::move(keep, jobs_.end(), std::back_inserter(taken));
  jobs_.erase(keep, jobs_.end());
  return taken;
}

void WorkQueue::FailUnwanted(TimePoint now) {
  for (auto& job : TakeUnwanted(now)) job->Fail(StillWanted(*job, now));
}

TimePoint WorkQueue::EarliestEnd() const {
  std::lock_guard lock(mutex_);
  TimePoint earliest = TimePoint::max();
  for (const auto& job : jobs_) earliest = std::min(earliest, job->deadline);
  return earliest;
}

void WorkQueue::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  while (!sleepers_.empty()) WakeOne();
}

size_t WorkQueue::size() const {
  std::lock_guard lock(mutex_);
  return jobs_.size();
}

size_t WorkQueue::idle_workers() const {
  std::lock_guard lock(mutex_);
  return idle_workers_;
}

}  // namespace snug::serving
