// The part of Servable that executes rows of sequences.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "serving/batch_tensors.h"
#include "serving/sequence_queue.h"
#include "serving/servable.h"

namespace snug::serving {
namespace {

using Members = std::span<const SequenceMember>;

// What any of them wants of the visible outputs; empty: all.
std::vector<uint8_t> WantedByAny(Members members) {
  std::vector<uint8_t> wanted;
  for (const SequenceMember& member : members) {
    if (member.job == nullptr) continue;
    const auto& own = member.job->batchable()->wanted();
    if (own.empty()) return {};
    wanted.resize(own.size());
    for (size_t i = 0; i < own.size(); ++i) wanted[i] |= own[i];
  }
  return wanted;
}

// Only `alone`, when it is not null, has something to do.
std::vector<SequencePlan::Row> RowsOf(Members members, const SequenceMember* alone) {
  std::vector<SequencePlan::Row> rows;
  for (const SequenceMember& member : members) {
    const bool idle = member.job == nullptr || (alone != nullptr && alone != &member);
    if (idle) {
      rows.emplace_back();
    } else {
      rows.push_back({member.mark, &member.job->batchable()->inputs(), &member.states});
    }
  }
  return rows;
}

bool LosesStates(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded;  // its process is another one now
}

}  // namespace

class Servable::SequenceJob : public Job {
 public:
  SequenceJob(Servable& servable, SequenceBatch batch) : servable_(servable), batch_(std::move(batch)) {
    queued = servable.clock_.Now();
    for (const SequenceMember& member : batch_.rows) {
      if (member.job != nullptr) queued = std::min(queued, member.job->queued);
    }
  }

  void Run(engine::Instance* instance) override {
    for (const SequenceMember& member : batch_.rows) {
      if (member.job != nullptr) servable_.Started(*member.job);
    }
    Status status = Execute(*instance, nullptr);
    if (status.ok()) return;
    const bool several = batch_.rows.size() > 1;
    if (several && plan().keeps_states() &&
        MayBeOneRequestsFault(status.code(), servable_.engine_process_ != 0))
      return RunSingly(*instance, status);
    if (!plan().keeps_states() && LosesStates(status.code())) queue().ForgetInstance(batch_.instance);
    Fail(status);
  }
  void Fail(const Status& status) override {
    for (SequenceMember& member : batch_.rows) {
      if (auto job = std::move(member.job)) job->Fail(status);
    }
  }

 private:
  const SequencePlan& plan() const { return *servable_.sequences_; }
  SequenceQueue& queue() { return static_cast<SequenceQueue&>(*servable_.executions_); }

  // Executes the rows, or the one alone, and answers them. An error has answered nobody.
  Status Execute(engine::Instance& instance, SequenceMember* alone) {
    const std::vector<uint8_t> wanted =
        plan().Wanted(alone != nullptr ? alone->job->batchable()->wanted() : WantedByAny(batch_.rows));
    SNUG_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, plan().Inputs(RowsOf(batch_.rows, alone)));
    Count(alone);
    SNUG_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, Call(instance, inputs, wanted));
    return Scatter(outputs, wanted, alone);
  }

  Result<std::vector<Tensor>> Call(engine::Instance& instance, const std::vector<Tensor>& inputs,
                                   const std::vector<uint8_t>& wanted) {
    if (plan().keeps_states()) return servable_.ExecuteWithRetry(instance, inputs, wanted, *this);
    std::vector<TensorView> views;
    views.reserve(inputs.size());
    for (const Tensor& input : inputs) views.push_back(input.View());
    return servable_.ExecuteOnce(instance, views, wanted);
  }

  Status Scatter(const std::vector<Tensor>& outputs, const std::vector<uint8_t>& computed,
                 const SequenceMember* alone) {
    const size_t rows = batch_.rows.size();
    std::vector<SequencePlan::RowOutputs> parts(rows);
    for (size_t row = 0; row < rows; ++row) {
      const SequenceMember& member = batch_.rows[row];
      if (member.job == nullptr || (alone != nullptr && alone != &member)) continue;
      SNUG_ASSIGN_OR_RETURN(parts[row],
                            plan().Outputs(outputs, computed, member.job->batchable()->wanted(), row, rows));
    }
    for (size_t row = 0; row < rows; ++row) {
      SequenceMember& member = batch_.rows[row];
      if (member.job == nullptr || (alone != nullptr && alone != &member)) continue;
      if (plan().keeps_states()) queue().KeepStates(member.sequence, std::move(parts[row].states));
      auto job = std::move(member.job);
      job->batchable()->Answer(std::move(parts[row].outputs));
    }
    return {};
  }

  void RunSingly(engine::Instance& instance, const Status& failure) {
    log::Warning("requests of several sequences failed together, they are executed one by one",
                 {{"model", servable_.name_}, {"reason", failure.ToString()}});
    servable_.stats_->batches_split.Add();
    for (SequenceMember& member : batch_.rows) {
      if (member.job == nullptr) continue;
      Status status = Execute(instance, &member);
      if (auto job = std::move(member.job)) job->Fail(status);
    }
  }

  void Count(const SequenceMember* alone) const {
    uint64_t ready = 0;
    for (const SequenceMember& member : batch_.rows) ready += member.job != nullptr ? 1 : 0;
    if (alone != nullptr) ready = 1;
    servable_.stats_->batch_rows.Observe(ready);
    servable_.stats_->padding_rows.Add(batch_.rows.size() - ready);
    servable_.stats_->inferences.Add(ready);
  }

  Servable& servable_;
  SequenceBatch batch_;
};

std::unique_ptr<JobQueue> Servable::MakeSequenceQueue() {
  return std::make_unique<SequenceQueue>(
      static_cast<size_t>(config_.queue_limit), *sequences_, clock_,
      [this](SequenceBatch batch) { return std::make_unique<SequenceJob>(*this, std::move(batch)); });
}

}  // namespace snug::serving
