#include "engine/outputs.h"

#include <exception>

namespace snug::engine {

Status CheckOutput(const TensorSpec& spec, int32_t dtype, const Shape& shape, uint64_t bytes) {
  auto wrong = [&](const std::string& what) {
    return Internal("the engine's output \"{}\" {}", spec.name, what);
  };
  if (dtype != static_cast<int32_t>(spec.dtype)) {
    std::string_view got = IsValidDType(dtype) ? DTypeName(static_cast<DType>(dtype)) : "no valid type";
    return wrong(fmt::format("is declared as {}, it wrote {}", DTypeName(spec.dtype), got));
  }
  if (!ShapeFits(shape, spec.shape)) {
    return wrong(
        fmt::format("is declared with shape {}, it wrote {}", ShapeText(spec.shape), ShapeText(shape)));
  }
  auto count = ElementCount(shape);
  if (!count) return wrong(fmt::format("has shape {}, which is too large", ShapeText(shape)));
  if (spec.dtype == DType::kBytes) return {};
  uint64_t expected = 0;
  if (__builtin_mul_overflow(*count, static_cast<uint64_t>(ElementBytes(spec.dtype)), &expected) ||
      expected != bytes) {
    return wrong(fmt::format("needs {} bytes for {} {}, it asked for {}", expected, DTypeName(spec.dtype),
                             ShapeText(shape), bytes));
  }
  return {};
}

OutputCollector::OutputCollector(const std::vector<TensorSpec>& specs, uint64_t bytes_max,
                                 OutputMemory& memory)
    : specs_(specs), bytes_max_(bytes_max), memory_(memory), outputs_(specs.size()) {}

snug_output_sink OutputCollector::Sink() {
  return {sizeof(snug_output_sink), this, &AllocateFromC};
}

void* OutputCollector::AllocateFromC(void* context, uint32_t index, snug_dtype dtype, int32_t rank,
                                     const int64_t* dims, uint64_t bytes) {
  auto* self = static_cast<OutputCollector*>(context);
  std::lock_guard lock(self->mutex_);
  try {
    Result<void*> memory = self->Allocate(index, dtype, rank, dims, bytes);
    if (memory.ok()) return *memory;
    if (self->refusal_.ok()) self->refusal_ = memory.status();
  } catch (const std::exception& e) {
    if (self->refusal_.ok())
      self->refusal_ = Error(Code::kResourceExhausted, "no memory for outputs: {}", e.what());
  }
  return nullptr;
}

Result<void*> OutputCollector::Allocate(uint32_t index, snug_dtype dtype, int32_t rank, const int64_t* dims,
                                        uint64_t bytes) {
  if (index >= specs_.size())
    return Internal("the engine wrote output {}, the model has {}", index, specs_.size());
  if (rank < 0 || rank > SNUG_MAX_RANK || (rank > 0 && dims == nullptr)) {
    return Internal("the engine's output \"{}\" has rank {}", specs_[index].name, rank);
  }
  Shape shape(dims, dims + rank);
  SNUG_RETURN_IF_ERROR(CheckOutput(specs_[index], dtype, shape, bytes));
  if (outputs_[index].present) return Internal("the engine wrote output \"{}\" twice", specs_[index].name);
  if (bytes > bytes_max_ - bytes_total_) {
    return Error(Code::kResourceExhausted,
                 "output \"{}\" of {} bytes exceeds the limit of {} bytes for all outputs",
                 specs_[index].name, bytes, bytes_max_);
  }
  void* data = memory_.Allocate(index, bytes);
  if (data == nullptr) return Error(Code::kResourceExhausted, "no memory for an output of {} bytes", bytes);
  bytes_total_ += bytes;
  outputs_[index] = {true, specs_[index].dtype, std::move(shape), data, bytes};
  return data;
}

Status OutputCollector::CheckProduced(uint32_t index) const {
  const ProducedOutput& output = outputs_[index];
  const TensorSpec& spec = specs_[index];
  if (!output.present) return Internal("the engine did not produce output \"{}\"", spec.name);
  if (spec.dtype != DType::kBytes) return {};
  Status content = CheckTensorBytes(spec.name, spec.dtype, output.shape, output.data, output.bytes);
  return content.ok() ? content : Internal("the engine wrote bad strings: {}", content.text());
}

Status OutputCollector::Finish(const Status& from_engine, std::span<const uint8_t> wanted) {
  std::lock_guard lock(mutex_);
  if (!refusal_.ok()) return refusal_;
  SNUG_RETURN_IF_ERROR(from_engine);
  for (uint32_t i = 0; i < specs_.size(); ++i) {
    if (wanted.empty() || wanted[i] != 0) SNUG_RETURN_IF_ERROR(CheckProduced(i));
  }
  return {};
}

}  // namespace snug::engine
