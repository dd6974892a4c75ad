// What stands between request threads and workers, and a bounded FIFO as the simplest kind. Jobs are also
// taken out by time: an expired or cancelled job leaves without waiting for a worker.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "engine/engine.h"
#include "serving/request.h"

namespace snug::serving {

// The side of a job by which it can be executed together with others.
class Batchable {
 public:
  virtual ~Batchable() = default;
  virtual const std::vector<Tensor>& inputs() const = 0;
  virtual const std::vector<uint8_t>& wanted() const = 0;  // as of Instance::Execute
  virtual int priority() const { return 0; }               // 1 is the highest; 0: the model's default
  virtual SequenceMark sequence() const { return {}; }
  // Called once, instead of Run and Fail.
  virtual void Answer(Result<std::vector<Tensor>> outputs) = 0;
};

class Job {
 public:
  virtual ~Job() = default;
  virtual int priority() const { return 0; }  // as Batchable's
  // Null: it is always executed alone.
  virtual Batchable* batchable() { return nullptr; }
  // On a worker. `instance` is that worker's own, null on a parse worker.
  virtual void Run(engine::Instance* instance) = 0;
  // Instead of Run.
  virtual void Fail(const Status& status) = 0;

  TimePoint queued;
  TimePoint started = TimePoint::min();  // when an instance took it
  TimePoint deadline = TimePoint::max();
  CancelFlag cancelled;
  std::shared_ptr<RequestTimes> times;  // see RequestHead
};

// OK while somebody waits for the answer: else DEADLINE_EXCEEDED or CANCELLED, with how long it waited.
Status StillWanted(const Job& job, TimePoint now);

// Thread-safe.
class JobQueue {
 public:
  enum class Pushed { kYes, kFull, kLevelFull, kClosed };

  explicit JobQueue(size_t limit) : limit_(limit) {}
  virtual ~JobQueue() = default;

  // Takes the job only with kYes. *waits says whether it found every worker busy.
  Pushed Push(std::unique_ptr<Job>& job, bool* waits) { return PushUpTo(limit_, job, waits); }
  // The same without the limit, for jobs whose number something else bounds.
  Pushed PushUnbounded(std::unique_ptr<Job>& job, bool* waits) { return PushUpTo(SIZE_MAX / 2, job, waits); }
  // Blocks until there is something to execute; false when closed and empty. Workers are numbered from 0.
  virtual bool Await(size_t worker) = 0;
  // The job whose turn it is; null when there is none after all, another worker having been quicker. A job is
  // chosen, and a batch formed, no earlier than this.
  virtual std::unique_ptr<Job> TryPop(size_t worker) = 0;
  // Both at once: null when closed and empty.
  std::unique_ptr<Job> Pop(size_t worker);
  // Answers the jobs that nobody wants any more, wherever they stand.
  virtual void FailUnwanted(TimePoint now) = 0;
  // When the first of the jobs inside may have to be answered by time; TimePoint::max(): none has a deadline.
  virtual TimePoint EarliestEnd() const = 0;
  // No further job comes in; those inside are still handed out.
  virtual void Close() = 0;
  virtual size_t size() const = 0;
  // Nothing waits, and a request of these inputs would be executed alone and as it is: it need not pass
  // through the queue.
  virtual bool IsFreeFor(std::span<const Tensor> inputs) const = 0;
  size_t limit() const { return limit_; }

 protected:
  virtual Pushed PushUpTo(size_t limit, std::unique_ptr<Job>& job, bool* waits) = 0;

 private:
  const size_t limit_;
};

// First in, first out. The worker that has waited for the shortest time is woken: what it needs is most
// likely still in its core's caches.
class WorkQueue : public JobQueue {
 public:
  using JobQueue::JobQueue;
  bool Await(size_t worker) override;
  std::unique_ptr<Job> TryPop(size_t worker) override;
  void FailUnwanted(TimePoint now) override;
  TimePoint EarliestEnd() const override;
  std::vector<std::unique_ptr<Job>> TakeUnwanted(TimePoint now);
  void Close() override;
  size_t size() const override;
  bool IsFreeFor(std::span<const Tensor>) const override { return size() == 0; }
  size_t idle_workers() const;  // that wait for a job

 protected:
  Pushed PushUpTo(size_t limit, std::unique_ptr<Job>& job, bool* waits) override;

 private:
  struct Sleeper {
    std::condition_variable wake;
    bool woken = false;  // and no longer in sleepers_
  };

  void Sleep(std::unique_lock<std::mutex>& lock);
  void WakeOne();  // under mutex_

  mutable std::mutex mutex_;
  std::deque<std::unique_ptr<Job>> jobs_;
  std::vector<Sleeper*> sleepers_;  // the last one fell asleep last
  size_t idle_workers_ = 0;         // asleep, or woken and not yet running
  bool closed_ = false;
};

}  // namespace snug::serving
