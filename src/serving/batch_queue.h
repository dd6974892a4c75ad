// A queue whose workers get several requests at a time: the acting side of Batcher.
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
#include "serving/batch_tensors.h"
#include "serving/batcher.h"
#include "serving/padding.h"
#include "serving/work_queue.h"

namespace snug::serving {

// A request on its way through one or, when it is large, several executions. Answers it once, when all its
// rows are there or with the first error. Thread-safe.
class BatchMember {
 public:
  BatchMember(std::unique_ptr<Job> job, int64_t rows, Lengths lengths)
      : job_(std::move(job)), rows_(rows), lengths_(std::move(lengths)) {}

  Job& job() { return *job_; }
  const Batchable& request() const { return *job_->batchable(); }
  int64_t rows() const { return rows_; }
  const Lengths& lengths() const { return lengths_; }  // of a model with padding
  bool answered() const;
  // Outputs of the rows from `row_begin` on: only the wanted ones.
  void Give(int64_t row_begin, int64_t rows, Result<std::vector<Tensor>> outputs);
  void Fail(const Status& status);

 private:
  bool Collect(int64_t row_begin, int64_t rows, Result<std::vector<Tensor>>& outputs);

  const std::unique_ptr<Job> job_;
  const int64_t rows_;
  const Lengths lengths_;
  mutable std::mutex mutex_;
  bool answered_ = false;
  int64_t rows_done_ = 0;
  std::map<int64_t, std::vector<Tensor>> parts_;  // by first row
};

struct MemberPart {
  std::shared_ptr<BatchMember> member;
  int64_t row_begin = 0;
  int64_t rows = 0;
};

struct BatchWork {
  std::vector<MemberPart> parts;
  int64_t rows = 0;
  int64_t size = 0;  // rows to execute
};

// What cannot be joined (no Batchable, or inputs without a common first dimension) is handed out alone and
// first come first served, before the batches. A request that finds nothing waiting stands apart until a
// worker takes it, as it is, or company comes: so a lone client pays for no batching. With a policy of one
// row nothing is joined or cut: every request, whatever its rows, counts as one.
class BatchQueue : public JobQueue {
 public:
  // Turns a batch into the job that executes it.
  using MakeJob = std::function<std::unique_ptr<Job>(BatchWork)>;

  // Requests' lengths are held against `padding`, which outlives the queue.
  BatchQueue(size_t limit, BatchPolicy policy, size_t default_level, const Padding& padding,
             const Clock& clock, MakeJob make_job);

  bool Await(size_t worker) override;
  std::unique_ptr<Job> TryPop(size_t worker) override;
  void FailUnwanted(TimePoint now) override;
  TimePoint EarliestEnd() const override;
  void Close() override;
  size_t size() const override;
  bool IsFreeFor(std::span<const Tensor> inputs) const override;

 protected:
  Pushed PushUpTo(size_t limit, std::unique_ptr<Job>& job, bool* waits) override;

 private:
  struct Failed {
    std::shared_ptr<BatchMember> member;
    bool by_policy = false;
  };

  bool AddToBatcher(std::unique_ptr<Job>& job);
  BatchShape ShapeOf(std::span<const Tensor> inputs, const Lengths& lengths) const;
  Lengths LengthsOf(std::span<const Tensor> inputs) const;
  // Whether its rows may be executed with others'.
  bool MayJoin(std::span<const Tensor> inputs) const;
  // Whether the batcher would have it executed alone and without padding, were nothing else there.
  bool GoesAsItIs(std::span<const Tensor> inputs) const;
  void GiveLoneToBatcher();
  size_t CountInside() const;
  size_t LevelOf(const Batchable& request) const;
  std::unique_ptr<Job> TakeAlone();
  BatchWork Collect(const Decision& decision);
  std::vector<Failed> TakeOut(const std::vector<Expired>& expired);
  void Fail(const std::vector<Failed>& failed, TimePoint now) const;
  bool HasWork() const;
  void WaitForWork(std::unique_lock<std::mutex>& lock);

  const Clock& clock_;
  const size_t default_level_;
  const Padding& padding_;
  const MakeJob make_job_;
  const bool has_timers_;  // a request's turn also depends on the time: none stands apart
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  Batcher batcher_;
  std::unordered_map<uint64_t, std::shared_ptr<BatchMember>> members_;  // those in the batcher, by id
  std::deque<std::unique_ptr<Job>> alone_;
  std::unique_ptr<Job> lone_;          // only while the batcher is empty
  TimePoint wake_ = TimePoint::min();  // the batcher has nothing to execute before
  uint64_t ids_ = 0;
  size_t idle_workers_ = 0;
  bool closed_ = false;
};

}  // namespace snug::serving
