#include "serving/checks.h"

#include <algorithm>
#include <cstring>

namespace snug::serving {
namespace {

constexpr size_t kUnknown = static_cast<size_t>(-1);

size_t IndexOf(std::span<const TensorSpec> specs, std::string_view name) {
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == name) return i;
  }
  return kUnknown;
}

Status CheckNames(std::span<const TensorSpec> specs, const std::vector<Tensor>& inputs) {
  std::vector<uint8_t> seen(specs.size(), 0);
  for (const Tensor& input : inputs) {
    size_t index = IndexOf(specs, input.name);
    if (index == kUnknown) {
      return InvalidArgument("unknown input \"{}\"; the model's inputs are: {}", input.name,
                             SpecsText(specs));
    }
    if (seen[index] != 0) return InvalidArgument("input \"{}\" is given twice", input.name);
    seen[index] = 1;
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    if (seen[i] == 0) {
      return InvalidArgument("input \"{}\" is missing; expected {} input(s), got {}: {}", specs[i].name,
                             specs.size(), inputs.size(), SpecsText(specs));
    }
  }
  return {};
}

Shape WarmupShape(const TensorSpec& spec, int64_t free_dim) {
  Shape shape = spec.shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) shape[i] = i == 0 ? 1 : free_dim;
  }
  return shape;
}

}  // namespace

Status ArrangeInputs(std::span<const TensorSpec> specs, std::vector<Tensor>& inputs) {
  SNUG_RETURN_IF_ERROR(CheckNames(specs, inputs));
  for (size_t i = 0; i < specs.size(); ++i) {
    auto found = std::find_if(inputs.begin() + static_cast<ptrdiff_t>(i), inputs.end(),
                              [&](const Tensor& t) { return t.name == specs[i].name; });
    std::iter_swap(inputs.begin() + static_cast<ptrdiff_t>(i), found);
    const Tensor& input = inputs[i];
    SNUG_RETURN_IF_ERROR(CheckTensorSpec(input.View(), specs[i]));
    SNUG_RETURN_IF_ERROR(
        CheckTensorBytes(input.name, input.dtype, input.shape, input.buffer.data(), input.buffer.size()));
  }
  return {};
}

Result<std::vector<uint8_t>> WantedOutputs(std::span<const TensorSpec> specs,
                                           std::span<const std::string> names) {
  if (names.empty()) return std::vector<uint8_t>{};
  std::vector<uint8_t> wanted(specs.size(), 0);
  for (const std::string& name : names) {
    size_t index = IndexOf(specs, name);
    if (index == kUnknown) {
      return InvalidArgument("unknown output \"{}\"; the model's outputs are: {}", name, SpecsText(specs));
    }
    if (wanted[index] != 0) return InvalidArgument("output \"{}\" is asked for twice", name);
    wanted[index] = 1;
  }
  return wanted;
}

void ArrangeOutputs(std::span<const std::string> names, std::vector<Tensor>& outputs) {
  for (size_t i = 0; i < names.size() && i < outputs.size(); ++i) {
    auto begin = outputs.begin() + static_cast<ptrdiff_t>(i);
    auto found = std::find_if(begin, outputs.end(), [&](const Tensor& t) { return t.name == names[i]; });
    if (found != outputs.end()) std::iter_swap(begin, found);
  }
}

std::string SpecsText(std::span<const TensorSpec> specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {} {}", spec.name, DTypeName(spec.dtype), ShapeText(spec.shape));
  }
  return text;
}

Result<std::vector<Tensor>> ZeroInputs(std::span<const TensorSpec> specs, int64_t free_dim) {
  std::vector<Tensor> inputs;
  for (const TensorSpec& spec : specs) {
    Shape shape = WarmupShape(spec, free_dim);
    auto count = ElementCount(shape);
    size_t element = spec.dtype == DType::kBytes ? sizeof(uint32_t) : ElementBytes(spec.dtype);
    if (!count || *count > kWarmupBytesMax / element) {
      return Error(Code::kResourceExhausted, "zeros for input \"{}\" {} would take more than {} bytes",
                   spec.name, ShapeText(shape), kWarmupBytesMax);
    }
    Buffer buffer = Buffer::Allocate(*count * element);
    std::memset(buffer.data(), 0, buffer.size());
    inputs.push_back({spec.name, spec.dtype, std::move(shape), std::move(buffer)});
  }
  return inputs;
}

bool HasGuessedDims(std::span<const TensorSpec> specs) {
  return std::any_of(specs.begin(), specs.end(), [](const TensorSpec& spec) {
    return spec.shape.size() > 1 && *std::min_element(spec.shape.begin() + 1, spec.shape.end()) < 0;
  });
}

}  // namespace snug::serving
