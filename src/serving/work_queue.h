// A bounded FIFO between request threads and workers, from which jobs are also taken by time: an expired or
// cancelled job leaves without waiting for a worker.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "engine/engine.h"
#include "serving/request.h"

namespace snug::serving {

class Job {
 public:
  virtual ~Job() = default;
  // On a worker. `instance` is that worker's own, null on a parse worker.
  virtual void Run(engine::Instance* instance) = 0;
  // Instead of Run.
  virtual void Fail(const Status& status) = 0;

  TimePoint queued;
  TimePoint deadline = TimePoint::max();
  CancelFlag cancelled;
};

// OK while somebody waits for the answer: else DEADLINE_EXCEEDED or CANCELLED, with how long it waited.
Status StillWanted(const Job& job, TimePoint now);

// Thread-safe.
class WorkQueue {
 public:
  enum class Pushed { kYes, kFull, kClosed };

  explicit WorkQueue(size_t limit) : limit_(limit) {}

  // Takes the job only with kYes. *waits says whether it found every worker busy.
  Pushed Push(std::unique_ptr<Job>& job, bool* waits);
  // The same without the limit, for jobs whose number something else bounds.
  Pushed PushUnbounded(std::unique_ptr<Job>& job, bool* waits) { return PushUpTo(SIZE_MAX / 2, job, waits); }
  // Blocks for the oldest job; null when closed and empty.
  std::unique_ptr<Job> Pop();
  // Removes the jobs that nobody wants any more, wherever they stand.
  std::vector<std::unique_ptr<Job>> TakeUnwanted(TimePoint now);
  // No further job comes in; those inside are still handed out.
  void Close();
  size_t size() const;
  size_t limit() const { return limit_; }

 private:
  Pushed PushUpTo(size_t limit, std::unique_ptr<Job>& job, bool* waits);

  const size_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::unique_ptr<Job>> jobs_;
  size_t idle_workers_ = 0;
  bool closed_ = false;
};

}  // namespace snug::serving
