#include "serving/pipeline/run.h"

#include <algorithm>
#include <utility>

#include "serving/batch_tensors.h"

namespace snug::serving {

PipelineRun::PipelineRun(const PipelineGraph& graph, std::vector<Tensor> inputs,
                         std::span<const uint8_t> wanted)
    : graph_(graph), values_(graph.values.size()), steps_(graph.steps.size()), users_(graph.values.size()) {
  MarkNeeded(wanted);
  for (size_t i = 0; i < inputs.size(); ++i) values_[i].whole = std::move(inputs[i]);
  for (size_t i = 0; i < inputs.size(); ++i) WholeIsThere(i);
  for (size_t i = 0; i < steps_.size(); ++i) TryOpen(i);
}

// From the wanted outputs back to what they are made from.
void PipelineRun::MarkNeeded(std::span<const uint8_t> wanted) {
  std::vector<size_t> steps;
  for (size_t i = 0; i < graph_.outputs.size(); ++i) {
    if (!wanted.empty() && wanted[i] == 0) continue;
    outputs_.push_back(graph_.outputs[i]);
    ++values_[graph_.outputs[i]].users_left;
    ++values_[graph_.outputs[i]].whole_users;
    steps.push_back(graph_.values[graph_.outputs[i]].step);
  }
  while (!steps.empty()) {
    const size_t step = steps.back();
    steps.pop_back();
    if (std::exchange(steps_[step].is_needed, true)) continue;
    ++steps_left_;
    for (const auto& input : plan(step).inputs) {
      auto& users = users_[input.value];
      if (users.empty() || users.back() != step) users.push_back(step);
      ++values_[input.value].users_left;
      ++(input.each ? values_[input.value].row_users : values_[input.value].whole_users);
      if (!input.each) ++steps_[step].wholes_missing;
      const size_t maker = graph_.values[input.value].step;
      if (maker != PipelineGraph::kNoStep) steps.push_back(maker);
    }
  }
}

bool PipelineRun::RowReady(size_t value, size_t row) const {
  return values_[value].whole.has_value() || values_[value].rows[row].has_value();
}

// Opens a step when all that it iterates over is counted.
void PipelineRun::TryOpen(size_t index) {
  Step& step = steps_[index];
  if (!step.is_needed || step.is_open || !failure_.ok()) return;
  const PipelineGraph::Input* first = nullptr;
  for (const auto& input : plan(index).inputs) {
    if (!input.each) continue;
    const Value& value = values_[input.value];
    if (!value.is_counted) return;
    if (first == nullptr) first = &input;
    const size_t other = values_[first->value].count;
    if (value.count == other) continue;
    return Fail(
        index, 0,
        InvalidArgument("for_each: \"{}\" has {} rows, \"{}\" has {}", graph_.values[input.value].spec.name,
                        value.count, graph_.values[first->value].spec.name, other));
  }
  if (first != nullptr) step.count = values_[first->value].count;
  if (step.count > plan(index).items_max && first != nullptr) {
    return Fail(index, 0,
                InvalidArgument("{} items, at most {} are executed for one request (items_max)", step.count,
                                plan(index).items_max));
  }
  step.is_open = true;
  step.missing.assign(step.count, 0);
  for (size_t item = 0; item < step.count; ++item) {
    for (const auto& input : plan(index).inputs) {
      if (input.each && !RowReady(input.value, item)) ++step.missing[item];
    }
    if (step.missing[item] == 0) step.ready.push_back(item);
  }
  if (plan(index).each) {
    for (const auto& output : plan(index).outputs) {
      Value& value = values_[output.value];
      value.rows.resize(step.count);
      value.row_users_left.assign(step.count, value.row_users);
      Counted(output.value, step.count);
    }
  }
  if (step.count == 0) StepIsDone(index);
}

void PipelineRun::Counted(size_t value, size_t count) {
  values_[value].is_counted = true;
  values_[value].count = count;
  for (const size_t user : users_[value]) TryOpen(user);
}

void PipelineRun::RowIsThere(size_t value, size_t row) {
  for (const size_t user : users_[value]) {
    Step& step = steps_[user];
    for (const auto& input : plan(user).inputs) {
      if (!input.each || input.value != value || !step.is_open) continue;
      if (--step.missing[row] == 0) step.ready.push_back(row);
    }
  }
}

void PipelineRun::WholeIsThere(size_t value) {
  for (const size_t user : users_[value]) {
    for (const auto& input : plan(user).inputs) {
      if (input.value == value && !input.each) --steps_[user].wholes_missing;
    }
  }
  const auto& whole = values_[value].whole;
  if (!whole) return;  // rows, which were counted before
  const bool has_rows = !whole->shape.empty();
  Counted(value, has_rows ? static_cast<size_t>(whole->shape[0]) : 1);
}

void PipelineRun::StepIsDone(size_t index) {
  --steps_left_;
  if (plan(index).each) {
    for (const auto& output : plan(index).outputs) WholeIsThere(output.value);
  }
  for (const auto& input : plan(index).inputs) Release(input.value);
}

// What nobody needs any more gives its memory back.
void PipelineRun::Release(size_t index) {
  Value& value = values_[index];
  if (--value.users_left > 0) return;
  value.whole.reset();
  value.rows.clear();
}

void PipelineRun::ReleaseRow(size_t index, size_t row) {
  Value& value = values_[index];
  if (value.whole_users > 0 || value.rows.empty()) return;
  if (--value.row_users_left[row] == 0) value.rows[row].reset();
}

Tensor PipelineRun::TakeRow(size_t index, size_t row) const {
  const Value& value = values_[index];
  return value.whole ? SliceRows(*value.whole, static_cast<int64_t>(row), 1) : *value.rows[row];
}

Result<Tensor> PipelineRun::TakeWhole(size_t index) {
  Value& value = values_[index];
  if (value.whole) return *value.whole;
  const TensorSpec& spec = graph_.values[index].spec;
  if (value.count == 0) {
    Shape shape = spec.shape;
    for (int64_t& dim : shape) dim = std::max<int64_t>(dim, 0);
    shape[0] = 0;
    value.whole = Tensor{spec.name, spec.dtype, std::move(shape), Buffer::Allocate(0)};
  } else {
    std::vector<Tensor> rows;
    for (auto& row : value.rows) rows.push_back(*row);
    SNUG_ASSIGN_OR_RETURN(value.whole, JoinRows(rows, static_cast<int64_t>(rows.size())));
    value.rows.clear();
  }
  return *value.whole;
}

Result<std::vector<Tensor>> PipelineRun::InputsOf(size_t index, size_t item) {
  std::vector<Tensor> inputs;
  for (const auto& input : plan(index).inputs) {
    if (input.each) {
      inputs.push_back(TakeRow(input.value, item));
    } else {
      SNUG_ASSIGN_OR_RETURN(inputs.emplace_back(), TakeWhole(input.value));
    }
    inputs.back().name = input.tensor;
  }
  return inputs;
}

std::optional<PipelineRun::Call> PipelineRun::Next() {
  if (!failure_.ok()) return std::nullopt;
  // The last first, so that what was begun ends soon and gives its memory back.
  for (size_t i = steps_.size(); i-- > 0;) {
    Step& step = steps_[i];
    if (step.wholes_missing > 0 || step.ready.empty() || step.under_way >= step.at_once) continue;
    const size_t item = step.ready.front();
    step.ready.pop_front();
    auto inputs = InputsOf(i, item);
    if (!inputs.ok()) {
      Fail(i, item, inputs.status());
      return std::nullopt;
    }
    Call call{i, item, *std::move(inputs), {}};
    for (const auto& output : plan(i).outputs) call.outputs.push_back(output.tensor);
    ++step.under_way;
    ++under_way_;
    return call;
  }
  return std::nullopt;
}

Status PipelineRun::CheckOutputs(size_t index, const std::vector<Tensor>& outputs) const {
  if (outputs.size() != plan(index).outputs.size()) {
    return Internal("the model gave {} outputs instead of {}", outputs.size(), plan(index).outputs.size());
  }
  for (const Tensor& output : outputs) {
    if (!plan(index).each || (!output.shape.empty() && output.shape[0] == 1)) continue;
    return Internal("the output \"{}\" of one item has the shape {}, expected one row", output.name,
                    ShapeText(output.shape));
  }
  return {};
}

void PipelineRun::Finished(const Call& call, Result<std::vector<Tensor>> outputs) {
  Step& step = steps_[call.step];
  --step.under_way;
  --under_way_;
  if (outputs.status().code() == Code::kResourceExhausted && step.under_way > 0) {
    step.at_once = step.under_way;
    step.ready.push_front(call.item);
    return;
  }
  if (!outputs.ok()) return Fail(call.step, call.item, outputs.status());
  const Status fits = CheckOutputs(call.step, *outputs);
  if (!fits.ok()) return Fail(call.step, call.item, fits);
  Keep(call.step, call.item, *std::move(outputs));
}

void PipelineRun::Keep(size_t index, size_t item, std::vector<Tensor> outputs) {
  const auto& plans = plan(index).outputs;
  for (size_t i = 0; i < plans.size(); ++i) {
    Value& value = values_[plans[i].value];
    if (value.users_left == 0) continue;
    outputs[i].name = graph_.values[plans[i].value].spec.name;
    if (plan(index).each) {
      value.rows[item] = std::move(outputs[i]);
      RowIsThere(plans[i].value, item);
    } else {
      value.whole = std::move(outputs[i]);
      WholeIsThere(plans[i].value);
    }
  }
  for (const auto& input : plan(index).inputs) {
    if (input.each) ReleaseRow(input.value, item);
  }
  if (++steps_[index].finished == steps_[index].count) StepIsDone(index);
}

void PipelineRun::Fail(size_t index, size_t item, const Status& status) {
  if (!failure_.ok()) return;
  const std::string at = plan(index).each && steps_[index].is_open
                             ? fmt::format(", item {} of {}", item + 1, steps_[index].count)
                             : "";
  failure_ = status.Annotate(fmt::format("pipeline step \"{}\"{}", plan(index).name, at));
}

Result<std::vector<Tensor>> PipelineRun::TakeOutputs() {
  if (!failure_.ok()) return failure_;
  std::vector<Tensor> outputs;
  for (const size_t value : outputs_) {
    SNUG_ASSIGN_OR_RETURN(outputs.emplace_back(), TakeWhole(value));
  }
  return outputs;
}

}  // namespace snug::serving
