#include "serving/sequence_plan.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "serving/batch_tensors.h"
#include "serving/checks.h"

namespace snug::serving {
namespace {

// Dimensions of one row: free ones are 1.
Shape RowShape(const Shape& spec) {
  Shape shape = spec;
  for (int64_t& dim : shape) dim = dim < 0 ? 1 : dim;
  return shape;
}

Tensor Zeros(const TensorSpec& spec, const Shape& shape) {
  const size_t element = spec.dtype == DType::kBytes ? sizeof(uint32_t) : ElementBytes(spec.dtype);
  Tensor tensor{spec.name, spec.dtype, shape, Buffer::Allocate(*ElementCount(shape) * element)};
  if (tensor.buffer.size() > 0) std::memset(tensor.buffer.data(), 0, tensor.buffer.size());
  return tensor;
}

template <typename T>
void Put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PutFlag(std::string& bytes, DType dtype, double value) {
  if (dtype == DType::kFp32) Put(bytes, static_cast<float>(value));
  if (dtype == DType::kInt32) Put(bytes, static_cast<int32_t>(value));
  if (dtype == DType::kBool) Put(bytes, static_cast<uint8_t>(value != 0));
}

void PutId(std::string& bytes, DType dtype, const CorrelationId& id, uint64_t number) {
  if (dtype == DType::kBytes) {
    const std::string text = id.empty() ? "" : id.Text();
    Put(bytes, static_cast<uint32_t>(text.size()));
    bytes += text;
  } else if (ElementBytes(dtype) == sizeof(uint64_t)) {
    Put(bytes, number);
  } else {
    Put(bytes, static_cast<uint32_t>(number));
  }
}

// The id as a number; a text that is one counts.
std::optional<uint64_t> NumberOf(const CorrelationId& id) {
  if (id.text.empty()) return id.number;
  uint64_t number = 0;
  auto [end, error] = std::from_chars(id.text.data(), id.text.data() + id.text.size(), number);
  if (error != std::errc() || end != id.text.data() + id.text.size()) return std::nullopt;
  return number;
}

uint64_t LargestId(DType dtype) {
  if (dtype == DType::kInt64) return INT64_MAX;
  if (dtype == DType::kUint32) return UINT32_MAX;
  if (dtype == DType::kInt32) return INT32_MAX;
  return UINT64_MAX;
}

constexpr DType kFlagTypes[] = {DType::kInt32, DType::kFp32, DType::kBool};
constexpr DType kIdTypes[] = {DType::kUint64, DType::kInt64, DType::kUint32, DType::kInt32, DType::kBytes};

Tensor OwnCopy(const Tensor& tensor) {
  Tensor copy{tensor.name, tensor.dtype, tensor.shape, Buffer::Allocate(tensor.buffer.size())};
  if (tensor.buffer.size() > 0) std::memcpy(copy.buffer.data(), tensor.buffer.data(), tensor.buffer.size());
  return copy;
}

}  // namespace

Result<SequencePlan> SequencePlan::Make(const repository::SequenceConfig& config,
                                        const engine::ModelInfo& info, const std::string& model,
                                        int instances) {
  SequencePlan plan;
  plan.batched_ = info.batch_is_free;
  if (!plan.batched_ && config.rows_max > 1) {
    return InvalidArgument("sequence.rows_max is {}, but the model's first dimensions are not all free",
                           config.rows_max);
  }
  SequencePolicy& policy = plan.policy_;
  policy.strategy = config.oldest ? SequencePolicy::Strategy::kOldest : SequencePolicy::Strategy::kDirect;
  policy.model = model;
  policy.instances = static_cast<size_t>(instances);
  policy.rows_max = static_cast<size_t>(std::max(1, config.rows_max));
  policy.sequences_max =
      static_cast<size_t>(config.sequences_max > 0 ? config.sequences_max : kSequencesDefault);
  policy.backlog_max = static_cast<size_t>(config.backlog_max);
  policy.idle_max = std::chrono::milliseconds(config.idle_ms_max);
  for (const TensorSpec& spec : info.inputs) plan.inputs_.push_back({Kind::kClient, 0, spec});
  plan.state_of_output_.resize(info.outputs.size());
  SNUG_RETURN_IF_ERROR(plan.AddControl(config.start, Kind::kStart));
  SNUG_RETURN_IF_ERROR(plan.AddControl(config.end, Kind::kEnd));
  SNUG_RETURN_IF_ERROR(plan.AddControl(config.ready, Kind::kReady));
  SNUG_RETURN_IF_ERROR(plan.AddControl(config.corrid, Kind::kCorrelationId));
  for (const auto& state : config.states) SNUG_RETURN_IF_ERROR(plan.AddState(state, info));
  plan.MakeVisible(info);
  return plan;
}

Result<SequencePlan::Input*> SequencePlan::FreeInput(const std::string& name) {
  auto found = std::find_if(inputs_.begin(), inputs_.end(),
                            [&](const Input& input) { return input.spec.name == name; });
  if (found == inputs_.end()) {
    std::vector<TensorSpec> specs;
    for (const Input& input : inputs_) specs.push_back(input.spec);
    return InvalidArgument("sequence: the model has no input \"{}\"; it has: {}", name, SpecsText(specs));
  }
  if (found->kind != Kind::kClient) return InvalidArgument("sequence: input \"{}\" is named twice", name);
  return &*found;
}

Status SequencePlan::AddControl(const repository::SequenceControlConfig& config, Kind kind) {
  if (config.input.empty()) return {};
  SNUG_ASSIGN_OR_RETURN(Input * input, FreeInput(config.input));
  input->kind = kind;
  input->value_false = config.value_false;
  input->value_true = config.value_true;
  const std::span<const DType> allowed =
      kind == Kind::kCorrelationId ? std::span<const DType>(kIdTypes) : std::span<const DType>(kFlagTypes);
  if (std::find(allowed.begin(), allowed.end(), input->spec.dtype) == allowed.end()) {
    std::string names;
    for (DType dtype : allowed) names += fmt::format("{}{}", names.empty() ? "" : ", ", DTypeName(dtype));
    return InvalidArgument("sequence.controls: input \"{}\" is {}; expected one of {}", config.input,
                           DTypeName(input->spec.dtype), names);
  }
  if (ElementCount(RowShape(input->spec.shape)) != uint64_t{1}) {
    return InvalidArgument("sequence.controls: input \"{}\" has the shape {}; expected one element a row",
                           config.input, ShapeText(input->spec.shape));
  }
  return {};
}

Status SequencePlan::AddState(const repository::SequenceStateConfig& config, const engine::ModelInfo& info) {
  SNUG_ASSIGN_OR_RETURN(Input * input, FreeInput(config.input));
  auto output = std::find_if(info.outputs.begin(), info.outputs.end(),
                             [&](const TensorSpec& spec) { return spec.name == config.output; });
  if (output == info.outputs.end()) {
    return InvalidArgument("sequence.states: the model has no output \"{}\"; it has: {}", config.output,
                           SpecsText(info.outputs));
  }
  const auto index = static_cast<size_t>(output - info.outputs.begin());
  if (state_of_output_[index])
    return InvalidArgument("sequence.states: output \"{}\" is named twice", config.output);
  State state{index, config.shape};
  if (state.shape.empty()) {
    state.shape = input->spec.shape;
    if (batched_ && !state.shape.empty()) state.shape[0] = 1;
  }
  const auto count = ElementCount(state.shape);
  if (!count || !ShapeFits(state.shape, input->spec.shape) || !ShapeFits(state.shape, output->shape) ||
      (batched_ && state.shape[0] != 1)) {
    return InvalidArgument(
        "sequence.states: \"{}\" {} and \"{}\" {} cannot hold a state of the shape {}; say `shape`, of one "
        "row",
        config.input, ShapeText(input->spec.shape), config.output, ShapeText(output->shape),
        ShapeText(state.shape));
  }
  if (*count > kWarmupBytesMax / std::max<size_t>(1, ElementBytes(input->spec.dtype)))
    return InvalidArgument("sequence.states: \"{}\" takes more than {} bytes", config.input, kWarmupBytesMax);
  if (output->dtype != input->spec.dtype) {
    return InvalidArgument("sequence.states: \"{}\" is {}, \"{}\" is {}", config.input,
                           DTypeName(input->spec.dtype), config.output, DTypeName(output->dtype));
  }
  input->kind = Kind::kState;
  input->index = states_.size();
  state_of_output_[index] = states_.size();
  states_.push_back(std::move(state));
  return {};
}

void SequencePlan::MakeVisible(const engine::ModelInfo& info) {
  visible_ = info;
  visible_.inputs.clear();
  visible_.outputs.clear();
  visible_.signatures.clear();
  for (Input& input : inputs_) {
    if (input.kind != Kind::kClient) continue;
    input.index = visible_.inputs.size();
    visible_.inputs.push_back(input.spec);
  }
  for (size_t i = 0; i < info.outputs.size(); ++i) {
    if (!state_of_output_[i]) visible_.outputs.push_back(info.outputs[i]);
  }
}

std::string SequencePlan::Note() const {
  const bool direct = policy_.strategy == SequencePolicy::Strategy::kDirect;
  return fmt::format("{} sequences at a time, {} row{} an execution ({})",
                     policy_.SlotsPerInstance() * policy_.instances, policy_.rows_max,
                     policy_.rows_max == 1 ? "" : "s", direct ? "direct" : "oldest");
}

Status SequencePlan::CheckInputs(std::span<const Tensor> inputs, const CorrelationId& id) const {
  if (batched_ && !inputs.empty() && CommonRows(inputs) != 1) {
    return InvalidArgument(
        "inference request to model '{}' must specify batch-size 1 due to requirements of sequences",
        policy_.model);
  }
  for (const Input& input : inputs_) {
    if (input.kind != Kind::kCorrelationId || input.spec.dtype == DType::kBytes) continue;
    const auto number = NumberOf(id);
    if (!number || *number > LargestId(input.spec.dtype)) {
      return InvalidArgument("the correlation id {} cannot be given to model '{}', whose input \"{}\" is {}",
                             id.Text(), policy_.model, input.spec.name, DTypeName(input.spec.dtype));
    }
  }
  return {};
}

Tensor SequencePlan::ControlTensor(const Input& input, std::span<const Row> rows) const {
  std::string bytes;
  for (const Row& row : rows) {
    const bool ready = row.inputs != nullptr;
    if (input.kind == Kind::kCorrelationId) {
      PutId(bytes, input.spec.dtype, row.mark.id, NumberOf(row.mark.id).value_or(0));
      continue;
    }
    const bool flag = input.kind == Kind::kReady   ? ready
                      : input.kind == Kind::kStart ? ready && row.mark.start
                                                   : ready && row.mark.end;
    PutFlag(bytes, input.spec.dtype, flag ? input.value_true : input.value_false);
  }
  Tensor tensor{input.spec.name, input.spec.dtype, RowShape(input.spec.shape),
                Buffer::Allocate(bytes.size())};
  if (batched_) tensor.shape[0] = static_cast<int64_t>(rows.size());
  std::memcpy(tensor.buffer.data(), bytes.data(), bytes.size());
  return tensor;
}

Result<Tensor> SequencePlan::StateTensor(const Input& input, std::span<const Row> rows) const {
  std::vector<Tensor> parts;
  for (const Row& row : rows) {
    const bool kept = row.states != nullptr && !row.states->empty() && !row.mark.start;
    parts.push_back(kept ? (*row.states)[input.index] : Zeros(input.spec, states_[input.index].shape));
    parts.back().name = input.spec.name;
  }
  if (parts.size() == 1) return std::move(parts[0]);
  return JoinRows(parts, static_cast<int64_t>(parts.size()));
}

// A slot with nothing to do gets what another row has, so that the model sees nothing it was not asked.
Result<Tensor> SequencePlan::ClientTensor(const Input& input, std::span<const Row> rows) const {
  auto ready = std::find_if(rows.begin(), rows.end(), [](const Row& row) { return row.inputs != nullptr; });
  if (ready == rows.end()) return Internal("a batch of sequences without a request");
  std::vector<Tensor> parts;
  for (const Row& row : rows) {
    parts.push_back((row.inputs != nullptr ? *row.inputs : *ready->inputs)[input.index]);
  }
  if (parts.size() == 1) return std::move(parts[0]);
  return JoinRows(parts, static_cast<int64_t>(parts.size()));
}

Result<std::vector<Tensor>> SequencePlan::Inputs(std::span<const Row> rows) const {
  std::vector<Tensor> tensors;
  for (const Input& input : inputs_) {
    if (input.kind == Kind::kClient) {
      SNUG_ASSIGN_OR_RETURN(tensors.emplace_back(), ClientTensor(input, rows));
    } else if (input.kind == Kind::kState) {
      SNUG_ASSIGN_OR_RETURN(tensors.emplace_back(), StateTensor(input, rows));
    } else {
      tensors.push_back(ControlTensor(input, rows));
    }
  }
  return tensors;
}

std::vector<uint8_t> SequencePlan::Wanted(std::span<const uint8_t> visible) const {
  std::vector<uint8_t> wanted(state_of_output_.size(), 1);
  size_t next = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!state_of_output_[i] && !visible.empty()) wanted[i] = visible[next++];
  }
  return wanted;
}

Result<SequencePlan::RowOutputs> SequencePlan::Outputs(const std::vector<Tensor>& outputs,
                                                       std::span<const uint8_t> computed,
                                                       std::span<const uint8_t> wanted, size_t row,
                                                       size_t rows) const {
  RowOutputs own;
  own.states.resize(states_.size());
  for (size_t spec = 0, next = 0, visible = 0; spec < state_of_output_.size(); ++spec) {
    const bool is_state = state_of_output_[spec].has_value();
    const bool is_wanted = is_state || wanted.empty() || wanted[visible] != 0;
    if (!is_state) ++visible;
    if (computed[spec] == 0) continue;
    const Tensor& output = outputs[next++];
    if (!is_wanted) continue;
    if (batched_ && (output.shape.empty() || output.shape[0] != static_cast<int64_t>(rows))) {
      return Internal("output \"{}\" of {} rows has the shape {}", output.name, rows,
                      ShapeText(output.shape));
    }
    Tensor part = batched_ && rows > 1 ? SliceRows(output, static_cast<int64_t>(row), 1) : output;
    if (!is_state) {
      own.outputs.push_back(std::move(part));
      continue;
    }
    const State& state = states_[*state_of_output_[spec]];
    if (part.shape != state.shape) {
      return Internal("the state \"{}\" has the shape {}, expected {}", output.name, ShapeText(part.shape),
                      ShapeText(state.shape));
    }
    own.states[*state_of_output_[spec]] = OwnCopy(part);
  }
  return own;
}

}  // namespace snug::serving
