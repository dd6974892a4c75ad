// The part of Servable that executes batches.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "serving/batch_queue.h"
#include "serving/batch_tensors.h"
#include "serving/servable.h"

namespace snug::serving {
namespace {

std::vector<Tensor> InputsOf(const MemberPart& part) {
  const auto& inputs = part.member->request().inputs();
  if (part.rows == part.member->rows()) return inputs;
  std::vector<Tensor> slices;
  for (const Tensor& input : inputs) slices.push_back(SliceRows(input, part.row_begin, part.rows));
  return slices;
}

Result<std::vector<Tensor>> JoinInputs(const std::vector<MemberPart>& parts, int64_t size) {
  std::vector<std::vector<Tensor>> by_input(parts[0].member->request().inputs().size());
  for (const MemberPart& part : parts) {
    std::vector<Tensor> inputs = InputsOf(part);
    if (inputs.size() != by_input.size()) return Internal("a batch of requests with unequal inputs");
    for (size_t i = 0; i < inputs.size(); ++i) by_input[i].push_back(std::move(inputs[i]));
  }
  std::vector<Tensor> joined;
  for (const auto& pieces : by_input) {
    SNUG_ASSIGN_OR_RETURN(joined.emplace_back(), JoinRows(pieces, size));
  }
  return joined;
}

// What any of them wants; empty: all outputs.
std::vector<uint8_t> WantedByAny(const std::vector<MemberPart>& parts) {
  std::vector<uint8_t> wanted = parts[0].member->request().wanted();
  for (const MemberPart& part : parts) {
    const auto& own = part.member->request().wanted();
    if (own.empty() || wanted.empty()) return {};
    for (size_t i = 0; i < wanted.size(); ++i) wanted[i] |= own[i];
  }
  return wanted;
}

// Of the batch's outputs (those of `computed`), the rows and outputs of one part.
std::vector<Tensor> OutputsOf(const MemberPart& part, int64_t row, const std::vector<Tensor>& outputs,
                              const std::vector<uint8_t>& computed) {
  const auto& wanted = part.member->request().wanted();
  std::vector<Tensor> own;
  for (size_t spec = 0, i = 0; i < outputs.size(); ++spec) {
    if (spec < computed.size() && computed[spec] == 0) continue;
    const Tensor& output = outputs[i++];
    if (!wanted.empty() && wanted[spec] == 0) continue;
    own.push_back(SliceRows(output, row, part.rows));
  }
  return own;
}

Status CheckRows(const std::vector<Tensor>& outputs, int64_t rows) {
  for (const Tensor& output : outputs) {
    if (!output.shape.empty() && output.shape[0] == rows) continue;
    return Internal("output \"{}\" of a batch of {} rows has the shape {}; set batching: off in model.yaml",
                    output.name, rows, ShapeText(output.shape));
  }
  return {};
}

}  // namespace

class Servable::BatchJob : public Job {
 public:
  BatchJob(Servable& servable, BatchWork work) : servable_(servable), work_(std::move(work)) {
    queued = work_.parts[0].member->job().queued;
    deadline = TimePoint::min();  // the latest: while a process is awaited, somebody may still want it
    for (const MemberPart& part : work_.parts) deadline = std::max(deadline, part.member->job().deadline);
  }

  void Run(engine::Instance* instance) override {
    DropUnwanted();
    if (work_.parts.empty()) return;
    for (const MemberPart& part : work_.parts) servable_.Started(part.member->job());
    const std::vector<uint8_t> wanted = WantedByAny(work_.parts);
    auto outputs = Execute(*instance, work_.parts, work_.size, wanted);
    if (outputs.ok()) return Scatter(*outputs, wanted);
    if (work_.parts.size() > 1 &&
        MayBeOneRequestsFault(outputs.status().code(), servable_.engine_process_ != 0))
      return RunSingly(*instance, outputs.status());
    for (const MemberPart& part : work_.parts) part.member->Fail(outputs.status());
  }
  void Fail(const Status& status) override {
    for (const MemberPart& part : work_.parts) part.member->Fail(status);
  }

 private:
  void DropUnwanted() {
    const TimePoint now = servable_.clock_.Now();
    std::erase_if(work_.parts, [&](const MemberPart& part) {
      Status wanted = StillWanted(part.member->job(), now);
      if (!wanted.ok()) part.member->Fail(wanted);
      if (!wanted.ok()) work_.rows -= part.rows;
      return !wanted.ok();
    });
  }

  Result<std::vector<Tensor>> Execute(engine::Instance& instance, const std::vector<MemberPart>& parts,
                                      int64_t size, const std::vector<uint8_t>& wanted) {
    int64_t rows = 0;
    for (const MemberPart& part : parts) rows += part.rows;
    servable_.stats_->batch_rows.Observe(static_cast<uint64_t>(rows));
    servable_.stats_->padding_rows.Add(static_cast<uint64_t>(size - rows));
    servable_.stats_->inferences.Add(static_cast<uint64_t>(rows));
    if (parts.size() == 1 && parts[0].rows == size) {
      return servable_.ExecuteWithRetry(instance, InputsOf(parts[0]), wanted, *this);
    }
    SNUG_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, JoinInputs(parts, size));
    SNUG_ASSIGN_OR_RETURN(std::vector<Tensor> outputs,
                          servable_.ExecuteWithRetry(instance, inputs, wanted, *this));
    SNUG_RETURN_IF_ERROR(CheckRows(outputs, size));
    return outputs;
  }

  void Scatter(std::vector<Tensor>& outputs, const std::vector<uint8_t>& computed) {
    if (work_.parts.size() == 1 && work_.parts[0].rows == work_.size) {
      const MemberPart& part = work_.parts[0];
      return part.member->Give(part.row_begin, part.rows, std::move(outputs));
    }
    int64_t row = 0;
    for (const MemberPart& part : work_.parts) {
      part.member->Give(part.row_begin, part.rows, OutputsOf(part, row, outputs, computed));
      row += part.rows;
    }
  }

  void RunSingly(engine::Instance& instance, const Status& failure) {
    log::Warning("a batch failed, its requests are executed one by one",
                 {{"model", servable_.name_}, {"reason", failure.ToString()}});
    servable_.stats_->batches_split.Add();
    for (const MemberPart& part : work_.parts) {
      Status wanted = StillWanted(part.member->job(), servable_.clock_.Now());
      auto outputs = wanted.ok() ? Execute(instance, {part}, part.rows, part.member->request().wanted())
                                 : Result<std::vector<Tensor>>(wanted);
      part.member->Give(part.row_begin, part.rows, std::move(outputs));
    }
  }

  Servable& servable_;
  BatchWork work_;
};

std::unique_ptr<JobQueue> Servable::MakeQueue(const BatchPlan& plan) {
  const auto limit = static_cast<size_t>(config_.queue_limit);
  if (sequences_) return MakeSequenceQueue();
  if (!plan.queue) return std::make_unique<WorkQueue>(limit);
  return std::make_unique<BatchQueue>(limit, plan.policy, plan.default_level, clock_, [this](BatchWork work) {
    return std::make_unique<BatchJob>(*this, std::move(work));
  });
}

}  // namespace snug::serving
