#include "serving/batch_queue.h"

#include <algorithm>
#include <utility>

namespace snug::serving {
namespace {

// The parts' outputs, one after the other in the order of their rows.
Result<std::vector<Tensor>> JoinParts(const std::map<int64_t, std::vector<Tensor>>& parts, int64_t rows) {
  std::vector<Tensor> joined;
  for (size_t i = 0; i < parts.begin()->second.size(); ++i) {
    std::vector<Tensor> pieces;
    pieces.reserve(parts.size());
    for (const auto& [row, outputs] : parts) pieces.push_back(outputs[i]);
    SNUG_ASSIGN_OR_RETURN(joined.emplace_back(), JoinRows(pieces, rows));
  }
  return joined;
}

bool HasTimers(const BatchPolicy& policy) {
  return policy.delay_max > Duration::zero() ||
         std::any_of(policy.levels.begin(), policy.levels.end(),
                     [](const LevelPolicy& level) { return level.timeout > Duration::zero(); });
}

}  // namespace

bool BatchMember::answered() const {
  std::lock_guard lock(mutex_);
  return answered_;
}

// True when `outputs` is the answer now.
bool BatchMember::Collect(int64_t row_begin, int64_t rows, Result<std::vector<Tensor>>& outputs) {
  std::lock_guard lock(mutex_);
  if (answered_) return false;
  if (outputs.ok() && rows < rows_) {
    parts_[row_begin] = *std::move(outputs);
    rows_done_ += rows;
    if (rows_done_ < rows_) return false;
    outputs = JoinParts(parts_, rows_);
  }
  answered_ = true;
  return true;
}

void BatchMember::Give(int64_t row_begin, int64_t rows, Result<std::vector<Tensor>> outputs) {
  if (Collect(row_begin, rows, outputs)) job_->batchable()->Answer(std::move(outputs));
}

void BatchMember::Fail(const Status& status) {
  Give(0, rows_, status);
}

BatchQueue::BatchQueue(size_t limit, BatchPolicy policy, size_t default_level, const Padding& padding,
                       const Clock& clock, MakeJob make_job)
    : JobQueue(limit),
      clock_(clock),
      default_level_(default_level),
      padding_(padding),
      make_job_(std::move(make_job)),
      has_timers_(HasTimers(policy)),
      batcher_(std::move(policy)) {}

size_t BatchQueue::LevelOf(const Batchable& request) const {
  if (request.priority() <= 0) return default_level_;
  return std::min(static_cast<size_t>(request.priority()), batcher_.policy().levels.size()) - 1;
}

// They were checked before the request came here.
Lengths BatchQueue::LengthsOf(std::span<const Tensor> inputs) const {
  if (padding_.empty()) return {};
  auto lengths = padding_.LengthsOf(inputs);
  return lengths.ok() ? *std::move(lengths) : Lengths();
}

BatchShape BatchQueue::ShapeOf(std::span<const Tensor> inputs, const Lengths& lengths) const {
  if (batcher_.policy().rows_max == 1) return {1, 0};
  if (padding_.empty()) return BatchShapeOf(inputs);
  std::vector<Tensor> executed;
  for (size_t i = 0; i < inputs.size(); ++i)
    executed.push_back({"", inputs[i].dtype, padding_.InputShape(i, inputs[i].shape, lengths), {}});
  return BatchShapeOf(executed);
}

bool BatchQueue::AddToBatcher(std::unique_ptr<Job>& job) {
  const Batchable& request = *job->batchable();
  Lengths lengths = LengthsOf(request.inputs());
  const BatchShape shape = ShapeOf(request.inputs(), lengths);
  BatchRequest entry{++ids_, job->queued, job->deadline, LevelOf(request), shape.signature, shape.rows};
  if (!batcher_.Add(entry)) return false;
  wake_ = TimePoint::min();
  members_[entry.id] = std::make_shared<BatchMember>(std::move(job), shape.rows, std::move(lengths));
  return true;
}

bool BatchQueue::MayJoin(std::span<const Tensor> inputs) const {
  return batcher_.policy().rows_max == 1 || CommonRows(inputs) > 0;
}

bool BatchQueue::GoesAsItIs(std::span<const Tensor> inputs) const {
  if (!padding_.empty() && !LengthsOf(inputs).fit()) return false;
  if (batcher_.policy().rows_max == 1) return true;
  const int64_t rows = CommonRows(inputs);
  const std::vector<int64_t>& sizes = batcher_.policy().sizes;
  return rows > 0 && rows <= batcher_.policy().rows_max &&
         (sizes.empty() || std::binary_search(sizes.begin(), sizes.end(), rows));
}

bool BatchQueue::IsFreeFor(std::span<const Tensor> inputs) const {
  return GoesAsItIs(inputs) && size() == 0;
}

void BatchQueue::GiveLoneToBatcher() {
  if (lone_ != nullptr) AddToBatcher(lone_);  // an empty batcher takes it
}

size_t BatchQueue::CountInside() const {
  return alone_.size() + batcher_.size() + (lone_ != nullptr ? 1 : 0);
}

JobQueue::Pushed BatchQueue::PushUpTo(size_t limit, std::unique_ptr<Job>& job, bool* waits) {
  Batchable* request = job->batchable();
  const bool joins = request != nullptr && MayJoin(request->inputs());
  const bool may_stand_apart = joins && !has_timers_ && GoesAsItIs(request->inputs());
  {
    std::lock_guard lock(mutex_);
    if (closed_) return Pushed::kClosed;
    if (CountInside() >= limit + idle_workers_) return Pushed::kFull;
    if (!joins) {
      alone_.push_back(std::move(job));
    } else if (may_stand_apart && CountInside() == 0) {
      lone_ = std::move(job);
    } else {
      GiveLoneToBatcher();
      if (!AddToBatcher(job)) return Pushed::kLevelFull;
    }
    *waits = CountInside() > idle_workers_ || batcher_.policy().delay_max > Duration::zero();
  }
  ready_.notify_one();
  return Pushed::kYes;
}

std::unique_ptr<Job> BatchQueue::TakeAlone() {
  std::unique_ptr<Job> job = std::move(alone_.front());
  alone_.pop_front();
  return job;
}

BatchWork BatchQueue::Collect(const Decision& decision) {
  BatchWork work{{}, 0, decision.size};
  for (const BatchPart& part : decision.parts) {
    auto found = members_.find(part.id);
    std::shared_ptr<BatchMember> member = found->second;
    if (part.row_begin + part.rows == member->rows()) members_.erase(found);
    if (member->answered()) continue;  // an earlier part of it failed
    work.parts.push_back({std::move(member), part.row_begin, part.rows});
    work.rows += part.rows;
  }
  return work;
}

std::vector<BatchQueue::Failed> BatchQueue::TakeOut(const std::vector<Expired>& expired) {
  std::vector<Failed> failed;
  for (const Expired& one : expired) {
    auto found = members_.find(one.id);
    failed.push_back({std::move(found->second), one.by_policy});
    members_.erase(found);
  }
  return failed;
}

void BatchQueue::Fail(const std::vector<Failed>& failed, TimePoint now) const {
  for (const Failed& one : failed) {
    Status status = StillWanted(one.member->job(), now);
    if (one.by_policy || status.ok()) {
      status = Error(Code::kDeadlineExceeded,
                     "waited {:.3f} s for an instance, longer than the timeout of its priority "
                     "(batching.priorities in model.yaml)",
                     Seconds(now - one.member->job().queued));
    }
    one.member->Fail(status);
  }
}

bool BatchQueue::HasWork() const {
  return !alone_.empty() || lone_ != nullptr || (!batcher_.empty() && clock_.Now() >= wake_);
}

void BatchQueue::WaitForWork(std::unique_lock<std::mutex>& lock) {
  ++idle_workers_;
  if (batcher_.empty() || wake_ == TimePoint::max()) {
    ready_.wait(lock);
  } else {
    ready_.wait_for(lock, std::max(wake_ - clock_.Now(), Duration::zero()));
  }
  --idle_workers_;
}

bool BatchQueue::Await(size_t) {
  std::unique_lock lock(mutex_);
  while (!HasWork()) {
    if (closed_ && batcher_.empty()) return false;
    WaitForWork(lock);
  }
  return true;
}

std::unique_ptr<Job> BatchQueue::TryPop(size_t) {
  std::unique_lock lock(mutex_);
  if (!alone_.empty()) return TakeAlone();
  if (lone_ != nullptr) return std::move(lone_);
  const TimePoint now = clock_.Now();
  const Decision decision = batcher_.Take(now);
  wake_ = decision.parts.empty() ? decision.wake : TimePoint::min();
  const std::vector<Failed> failed = TakeOut(decision.expired);
  BatchWork work = Collect(decision);
  lock.unlock();
  Fail(failed, now);
  return work.parts.empty() ? nullptr : make_job_(std::move(work));
}

void BatchQueue::FailUnwanted(TimePoint now) {
  std::vector<std::unique_ptr<Job>> alone;
  std::vector<Failed> failed;
  {
    std::lock_guard lock(mutex_);
    if (lone_ != nullptr && !StillWanted(*lone_, now).ok()) alone.push_back(std::move(lone_));
    failed = TakeOut(batcher_.Expire(now));
    std::vector<Expired> cancelled;
    for (const auto& [id, member] : members_) {
      if (!StillWanted(member->job(), now).ok()) cancelled.push_back({id, false});
    }
    for (const Expired& one : cancelled) batcher_.Remove(one.id);
    wake_ = TimePoint::min();
    for (Failed& one : TakeOut(cancelled)) failed.push_back(std::move(one));
    auto keep = std::stable_partition(alone_.begin(), alone_.end(),
                                      [&](const auto& job) { return StillWanted(*job, now).ok(); });
    std::move(keep, alone_.end(), std::back_inserter(alone));
    alone_.erase(keep, alone_.end());
  }
  Fail(failed, now);
  for (auto& job : alone) job->Fail(StillWanted(*job, now));
}

TimePoint BatchQueue::EarliestEnd() const {
  std::lock_guard lock(mutex_);
  TimePoint earliest = batcher_.earliest_end();
  if (lone_ != nullptr) earliest = std::min(earliest, lone_->deadline);
  for (const auto& job : alone_) earliest = std::min(earliest, job->deadline);
  return earliest;
}

void BatchQueue::Close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  ready_.notify_all();
}

size_t BatchQueue::size() const {
  std::lock_guard lock(mutex_);
  return CountInside();
}

}  // namespace snug::serving
