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
  slices.reserve(inputs.size());
  for (const Tensor& input : inputs) slices.push_back(SliceRows(input, part.row_begin, part.rows));
  return slices;
}

uint64_t BytesOf(const std::vector<Tensor>& tensors) {
  uint64_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.buffer.size();
  return bytes;
}

Result<std::vector<Tensor>> JoinInputs(const std::vector<MemberPart>& parts, int64_t size,
                                       const Padding& padding) {
  std::vector<std::vector<Tensor>> by_input(parts[0].member->request().inputs().size());
  for (const MemberPart& part : parts) {
    std::vector<Tensor> inputs = InputsOf(part);
    if (inputs.size() != by_input.size()) return Internal("a batch of requests with unequal inputs");
    for (size_t i = 0; i < inputs.size(); ++i) by_input[i].push_back(std::move(inputs[i]));
  }
  std::vector<Tensor> joined;
  for (size_t i = 0; i < by_input.size(); ++i) {
    const std::vector<Tensor>& pieces = by_input[i];
    const bool is_padded = !padding.empty() && !padding.Filler(i).empty();
    const Lengths& lengths = parts[0].member->lengths();
    SNUG_ASSIGN_OR_RETURN(
        joined.emplace_back(),
        is_padded
            ? JoinPadded(pieces, size, padding.InputShape(i, pieces[0].shape, lengths), padding.Filler(i))
            : JoinRows(pieces, size));
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

// Of the batch's outputs (those of `computed`), what is one part's: its outputs, its rows (from `row` on,
// of `size`) and its lengths.
std::vector<Tensor> OutputsOf(const MemberPart& part, int64_t row, int64_t size,
                              const std::vector<Tensor>& outputs, const std::vector<uint8_t>& computed,
                              const Padding& padding) {
  const auto& wanted = part.member->request().wanted();
  const bool is_all = part.rows == size;
  std::vector<Tensor> own;
  for (size_t spec = 0, i = 0; i < outputs.size(); ++spec) {
    if (spec < computed.size() && computed[spec] == 0) continue;
    const Tensor& output = outputs[i++];
    if (!wanted.empty() && wanted[spec] == 0) continue;
    own.push_back(is_all ? output : SliceRows(output, row, part.rows));
    if (padding.empty()) continue;
    own.back() = Corner(own.back(), padding.OutputShape(spec, own.back().shape, part.member->lengths()));
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

Status CheckPadded(const std::vector<Tensor>& outputs, const std::vector<uint8_t>& computed,
                   const Padding& padding, const Lengths& lengths) {
  for (size_t spec = 0, i = 0; i < outputs.size(); ++spec) {
    if (spec < computed.size() && computed[spec] == 0) continue;
    SNUG_RETURN_IF_ERROR(padding.CheckOutput(spec, outputs[i++], lengths));
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

  // The outputs of all `size` rows, of padded lengths.
  Result<std::vector<Tensor>> Execute(engine::Instance& instance, const std::vector<MemberPart>& parts,
                                      int64_t size, const std::vector<uint8_t>& wanted) {
    const Padding& padding = servable_.padding_;
    const Lengths& lengths = parts[0].member->lengths();
    const bool is_alone = parts.size() == 1 && parts[0].rows == size;
    SNUG_ASSIGN_OR_RETURN(
        const std::vector<Tensor> inputs,
        is_alone ? PadInputs(InputsOf(parts[0]), padding, lengths) : JoinInputs(parts, size, padding));
    Count(parts, size, inputs);
    SNUG_ASSIGN_OR_RETURN(std::vector<Tensor> outputs,
                          servable_.ExecuteWithRetry(instance, inputs, wanted, *this));
    if (!is_alone) SNUG_RETURN_IF_ERROR(CheckRows(outputs, size));
    if (!padding.empty()) SNUG_RETURN_IF_ERROR(CheckPadded(outputs, wanted, padding, lengths));
    return outputs;
  }

  void Count(const std::vector<MemberPart>& parts, int64_t size, const std::vector<Tensor>& inputs) {
    VersionStats& stats = *servable_.stats_;
    int64_t rows = 0;
    for (const MemberPart& part : parts) rows += part.rows;
    stats.padding_rows.Add(static_cast<uint64_t>(size - rows));
    const uint64_t items = servable_.Items(inputs) - static_cast<uint64_t>(size - rows);
    stats.batch_rows.Observe(items);
    stats.inferences.Add(items);
    if (servable_.padding_.empty()) return;
    uint64_t own_bytes = 0;
    for (const MemberPart& part : parts) own_bytes += BytesOf(InputsOf(part));
    stats.padding_bytes.Add(BytesOf(inputs) - own_bytes);
  }

  void Scatter(const std::vector<Tensor>& outputs, const std::vector<uint8_t>& computed) {
    int64_t row = 0;
    for (const MemberPart& part : work_.parts) {
      part.member->Give(part.row_begin, part.rows,
                        OutputsOf(part, row, work_.size, outputs, computed, servable_.padding_));
      row += part.rows;
    }
  }

  void RunSingly(engine::Instance& instance, const Status& failure) {
    log::Warning("a batch failed, its requests are executed one by one",
                 {{"model", servable_.name_}, {"reason", failure.ToString()}});
    servable_.stats_->batches_split.Add();
    for (const MemberPart& part : work_.parts) {
      Status wanted = StillWanted(part.member->job(), servable_.clock_.Now());
      const std::vector<uint8_t>& computed = part.member->request().wanted();
      auto outputs =
          wanted.ok() ? Execute(instance, {part}, part.rows, computed) : Result<std::vector<Tensor>>(wanted);
      if (outputs.ok()) outputs = OutputsOf(part, 0, part.rows, *outputs, computed, servable_.padding_);
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
  return std::make_unique<BatchQueue>(
      limit, plan.policy, plan.default_level, padding_, clock_,
      [this](BatchWork work) { return std::make_unique<BatchJob>(*this, std::move(work)); });
}

}  // namespace snug::serving
