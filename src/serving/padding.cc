#include "serving/padding.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "serving/batch_tensors.h"
#include "serving/checks.h"

namespace snug::serving {
namespace {

template <typename T>
std::string Bytes(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename T>
std::optional<std::string> Integer(double value) {
  if (value != std::floor(value) || value < static_cast<double>(std::numeric_limits<T>::min()) ||
      value > static_cast<double>(std::numeric_limits<T>::max()))
    return std::nullopt;
  return Bytes(static_cast<T>(value));
}

uint16_t Bf16Bits(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);  // to the nearest, ties to even
}

// Nothing where it overflows. What is too small for a normal number becomes 0.
std::optional<uint16_t> Fp16Bits(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  int exponent = 0;
  const double fraction = std::frexp(std::abs(value), &exponent);           // 0.5 to 1
  const auto mantissa = static_cast<int>(std::nearbyint(fraction * 2048));  // 1024 to 2048
  if (mantissa == 2048) return Fp16Bits(std::copysign(std::ldexp(1.0, exponent), value));
  if (exponent > 16) return std::nullopt;
  if (value == 0 || exponent < -13) return sign;
  return static_cast<uint16_t>(sign | ((exponent + 14) << 10) | (mantissa - 1024));
}

// One element of the value, or nothing where the datatype cannot hold it.
std::optional<std::string> Element(DType dtype, double value) {
  switch (dtype) {
    case DType::kBool:
      return value == 0 || value == 1 ? Integer<uint8_t>(value) : std::nullopt;
    case DType::kUint8:
      return Integer<uint8_t>(value);
    case DType::kUint16:
      return Integer<uint16_t>(value);
    case DType::kUint32:
      return Integer<uint32_t>(value);
    case DType::kUint64:
      return Integer<uint64_t>(value);
    case DType::kInt8:
      return Integer<int8_t>(value);
    case DType::kInt16:
      return Integer<int16_t>(value);
    case DType::kInt32:
      return Integer<int32_t>(value);
    case DType::kInt64:
      return Integer<int64_t>(value);
    case DType::kFp16: {
      const auto bits = Fp16Bits(value);
      return bits ? std::optional(Bytes(*bits)) : std::nullopt;
    }
    case DType::kBf16:
      return Bytes(Bf16Bits(static_cast<float>(value)));
    case DType::kFp32:
      return Bytes(static_cast<float>(value));
    case DType::kFp64:
      return Bytes(value);
    case DType::kBytes:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string SpecText(const TensorSpec& spec) {
  return SpecsText(std::span(&spec, 1));
}

// The tensor's number, when its dimension may be named.
Result<size_t> FreeDim(std::string_view kind, std::span<const TensorSpec> specs, const std::string& name,
                       int dim) {
  auto spec = std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& s) { return s.name == name; });
  if (spec == specs.end()) {
    return InvalidArgument("batching.padding: the model has no {} \"{}\"; it has: {}", kind, name,
                           SpecsText(specs));
  }
  const auto place = static_cast<size_t>(dim);
  if (place >= spec->shape.size() || spec->shape[place] >= 0) {
    return InvalidArgument("batching.padding: dimension {} of {} {} is not free", dim, kind, SpecText(*spec));
  }
  if (spec->dtype == DType::kBytes)
    return InvalidArgument("batching.padding: {} {} cannot be padded: it holds texts", kind, SpecText(*spec));
  return static_cast<size_t>(spec - specs.begin());
}

int64_t Following(int64_t length, int64_t per) {
  return (length + per - 1) / per;
}

}  // namespace

Result<Padding> Padding::Make(std::span<const repository::PaddingConfig> config,
                              const engine::ModelInfo& info) {
  Padding padding;
  padding.inputs_ = info.inputs;
  padding.fillers_.resize(info.inputs.size());
  for (const auto& length_config : config) {
    Length length{length_config.buckets, {}, {}};
    for (const auto& input : length_config.inputs) SNUG_RETURN_IF_ERROR(padding.AddInput(input, length));
    for (const auto& output : length_config.outputs)
      SNUG_RETURN_IF_ERROR(padding.AddOutput(output, info, length));
    padding.lengths_.push_back(std::move(length));
  }
  return padding;
}

Status Padding::AddInput(const repository::PaddedInputConfig& config, Length& length) {
  SNUG_ASSIGN_OR_RETURN(const size_t input, FreeDim("input", inputs_, config.name, config.dim));
  const auto dim = static_cast<size_t>(config.dim);
  auto is_same = [&](const Place& place) { return place.tensor == input && place.dim == dim; };
  bool is_taken = std::any_of(length.inputs.begin(), length.inputs.end(), is_same);
  for (const Length& other : lengths_)
    is_taken |= std::any_of(other.inputs.begin(), other.inputs.end(), is_same);
  if (is_taken)
    return InvalidArgument("batching.padding: dimension {} of input \"{}\" is named twice", dim, config.name);
  const DType dtype = inputs_[input].dtype;
  auto element = Element(dtype, config.value);
  if (!element) {
    return InvalidArgument("batching.padding: input \"{}\" is {}, which cannot hold the value {}",
                           config.name, DTypeName(dtype), config.value);
  }
  if (!fillers_[input].empty() && fillers_[input] != *element)
    return InvalidArgument("batching.padding: input \"{}\" has two values to be padded with", config.name);
  fillers_[input] = *std::move(element);
  length.inputs.push_back({input, dim});
  return {};
}

Status Padding::AddOutput(const repository::CutOutputConfig& config, const engine::ModelInfo& info,
                          Length& length) {
  SNUG_ASSIGN_OR_RETURN(const size_t output, FreeDim("output", info.outputs, config.name, config.dim));
  length.outputs.push_back({output, static_cast<size_t>(config.dim), config.per});
  return {};
}

Result<Lengths> Padding::LengthsOf(std::span<const Tensor> inputs) const {
  Lengths lengths;
  for (const Length& length : lengths_) {
    const Place& first = length.inputs[0];
    const int64_t own = inputs[first.tensor].shape[first.dim];
    for (const Place& place : length.inputs) {
      const int64_t other = inputs[place.tensor].shape[place.dim];
      if (other == own) continue;
      return InvalidArgument(
          "input \"{}\" has {} at dimension {} and input \"{}\" {} at dimension {}; they must be equal "
          "(batching.padding in model.yaml)",
          inputs_[first.tensor].name, own, first.dim, inputs_[place.tensor].name, other, place.dim);
    }
    auto bucket = std::lower_bound(length.buckets.begin(), length.buckets.end(), own);
    if (bucket == length.buckets.end()) {
      return InvalidArgument(
          "input \"{}\" has {} at dimension {}; at most {} is taken (batching.padding in model.yaml has the "
          "buckets {})",
          inputs_[first.tensor].name, own, first.dim, length.buckets.back(), fmt::join(length.buckets, ", "));
    }
    lengths.own.push_back(own);
    lengths.padded.push_back(*bucket);
  }
  return lengths;
}

Shape Padding::InputShape(size_t input, Shape shape, const Lengths& lengths) const {
  for (size_t i = 0; i < lengths_.size(); ++i) {
    for (const Place& place : lengths_[i].inputs) {
      if (place.tensor == input) shape[place.dim] = lengths.padded[i];
    }
  }
  return shape;
}

// visit(length's number, place)
template <typename Visit>
void Padding::EachOutputPlace(size_t output, Visit visit) const {
  for (size_t i = 0; i < lengths_.size(); ++i) {
    for (const Place& place : lengths_[i].outputs) {
      if (place.tensor == output) visit(i, place);
    }
  }
}

Status Padding::CheckOutput(size_t output, const Tensor& tensor, const Lengths& lengths) const {
  Status status;
  EachOutputPlace(output, [&](size_t i, const Place& place) {
    const int64_t expected = Following(lengths.padded[i], place.per);
    if (place.dim < tensor.shape.size() && tensor.shape[place.dim] == expected) return;
    status = Internal(
        "output \"{}\" of a request padded to {} has the shape {}, expected {} at dimension {}: mend it in "
        "batching.padding in model.yaml",
        tensor.name, lengths.padded[i], ShapeText(tensor.shape), expected, place.dim);
  });
  return status;
}

Shape Padding::OutputShape(size_t output, Shape shape, const Lengths& lengths) const {
  EachOutputPlace(
      output, [&](size_t i, const Place& place) { shape[place.dim] = Following(lengths.own[i], place.per); });
  return shape;
}

std::vector<TensorSpec> Padding::SpecsAt(size_t bucket) const {
  std::vector<TensorSpec> specs = inputs_;
  for (const Length& length : lengths_) {
    const int64_t size = length.buckets[std::min(bucket, length.buckets.size() - 1)];
    for (const Place& place : length.inputs) specs[place.tensor].shape[place.dim] = size;
  }
  return specs;
}

size_t Padding::buckets() const {
  size_t most = 0;
  for (const Length& length : lengths_) most = std::max(most, length.buckets.size());
  return most;
}

Result<std::vector<Tensor>> PadInputs(std::vector<Tensor> inputs, const Padding& padding,
                                      const Lengths& lengths) {
  if (padding.empty()) return inputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor& input = inputs[i];
    const Shape shape = padding.InputShape(i, input.shape, lengths);
    if (shape == input.shape) continue;
    SNUG_ASSIGN_OR_RETURN(input, JoinPadded(std::span(&input, 1), shape[0], shape, padding.Filler(i)));
  }
  return inputs;
}

}  // namespace snug::serving
