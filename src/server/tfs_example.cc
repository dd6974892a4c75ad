#include "server/tfs_example.h"

#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "server/tfs_call.h"

namespace snug::server {
namespace {

using tensorflow::Example;
using tensorflow::Feature;

// Elements of one input, of all examples one after the other.
class Elements {
 public:
  explicit Elements(const TensorSpec& spec) : spec_(spec) {}

  // Appends a feature's values; sets how many. The text says what was expected.
  Status Append(const Feature& feature, size_t& count) {
    switch (feature.kind_case()) {
      case Feature::kBytesList:
        count = static_cast<size_t>(feature.bytes_list().value_size());
        if (spec_.dtype != DType::kBytes) return Mismatch("a bytes_list");
        for (const std::string& value : feature.bytes_list().value()) AppendBytes(value);
        return {};
      case Feature::kFloatList:
        count = static_cast<size_t>(feature.float_list().value_size());
        return AppendFloats(feature.float_list().value());
      case Feature::kInt64List:
        count = static_cast<size_t>(feature.int64_list().value_size());
        return AppendIntegers(feature.int64_list().value());
      default:
        count = 0;
        return {};
    }
  }
  Buffer Take() const {
    Buffer buffer = Buffer::Allocate(bytes_.size());
    if (!bytes_.empty()) std::memcpy(buffer.data(), bytes_.data(), bytes_.size());
    return buffer;
  }

 private:
  Status Mismatch(std::string_view got) const {
    return InvalidArgument("feature \"{}\" is {}, the model takes {}", spec_.name, got,
                           TfsTypeName(spec_.dtype));
  }
  template <typename T>
  void AppendValue(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void AppendBytes(const std::string& value) {
    AppendValue(static_cast<uint32_t>(value.size()));
    bytes_ += value;
  }
  template <typename Values>
  Status AppendFloats(const Values& values) {
    if (spec_.dtype != DType::kFp32 && spec_.dtype != DType::kFp64) return Mismatch("a float_list");
    for (float value : values) {
      if (spec_.dtype == DType::kFp32)
        AppendValue(value);
      else
        AppendValue(static_cast<double>(value));
    }
    return {};
  }
  template <typename T, typename Values>
  Status AppendAs(const Values& values) {
    for (int64_t value : values) {
      bool fits = value >= static_cast<int64_t>(std::numeric_limits<T>::min());
      if constexpr (sizeof(T) < sizeof(int64_t))
        fits = fits && value <= static_cast<int64_t>(std::numeric_limits<T>::max());
      if (!fits)
        return InvalidArgument("feature \"{}\": {} does not fit {}", spec_.name, value,
                               TfsTypeName(spec_.dtype));
      AppendValue(static_cast<T>(value));
    }
    return {};
  }
  template <typename Values>
  Status AppendIntegers(const Values& values) {
    switch (spec_.dtype) {
      case DType::kInt64:
        return AppendAs<int64_t>(values);
      case DType::kInt32:
        return AppendAs<int32_t>(values);
      case DType::kInt16:
        return AppendAs<int16_t>(values);
      case DType::kInt8:
        return AppendAs<int8_t>(values);
      case DType::kUint64:
        return AppendAs<uint64_t>(values);
      case DType::kUint32:
        return AppendAs<uint32_t>(values);
      case DType::kUint16:
        return AppendAs<uint16_t>(values);
      case DType::kUint8:
        return AppendAs<uint8_t>(values);
      case DType::kBool:
        for (int64_t value : values) AppendValue(static_cast<uint8_t>(value != 0));
        return {};
      case DType::kFp32:  // JSON's 1 is meant as 1.0
        for (int64_t value : values) AppendValue(static_cast<float>(value));
        return {};
      case DType::kFp64:
        for (int64_t value : values) AppendValue(static_cast<double>(value));
        return {};
      default:
        return Mismatch("an int64_list");
    }
  }

  const TensorSpec& spec_;
  std::string bytes_;
};

// The shape of `rows` examples with `values` each; nothing when that does not fit the spec.
std::optional<Shape> FeatureShape(const TensorSpec& spec, size_t rows, size_t values) {
  if (spec.shape.empty() || (spec.shape[0] != -1 && spec.shape[0] != static_cast<int64_t>(rows)))
    return std::nullopt;
  Shape shape{static_cast<int64_t>(rows)};
  auto left = static_cast<int64_t>(values);
  int64_t* free = nullptr;
  shape.insert(shape.end(), spec.shape.begin() + 1, spec.shape.end());
  for (size_t i = 1; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      if (free != nullptr) return std::nullopt;  // two unknowns
      free = &shape[i];
    } else if (shape[i] == 0 || left % shape[i] != 0) {
      return std::nullopt;
    } else {
      left /= shape[i];
    }
  }
  if (free != nullptr) *free = left;
  if (free == nullptr && left != 1) return std::nullopt;
  return shape;
}

Result<Tensor> FeatureTensor(const std::vector<Example>& examples, const TensorSpec& spec) {
  Elements elements(spec);
  size_t first = 0;
  for (size_t i = 0; i < examples.size(); ++i) {
    const auto& features = examples[i].features().feature();
    auto feature = features.find(spec.name);
    if (feature == features.end())
      return InvalidArgument("example {} has no feature \"{}\", which the model takes as {} {}", i, spec.name,
                             TfsTypeName(spec.dtype), ShapeText(spec.shape));
    size_t count = 0;
    SNUG_RETURN_IF_ERROR(elements.Append(feature->second, count));
    if (i == 0) first = count;
    if (count != first)
      return InvalidArgument("feature \"{}\" has {} values in example {} and {} in the first", spec.name,
                             count, i, first);
  }
  const auto shape = FeatureShape(spec, examples.size(), first);
  if (!shape)
    return InvalidArgument("feature \"{}\": {} examples of {} values do not fit the model's {}", spec.name,
                           examples.size(), first, ShapeText(spec.shape));
  return Tensor{spec.name, spec.dtype, *shape, elements.Take()};
}

Tensor SerializedExamples(const std::vector<Example>& examples, const TensorSpec& spec) {
  std::string bytes;
  for (const Example& example : examples) {
    const auto length = static_cast<uint32_t>(example.ByteSizeLong());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
    example.AppendToString(&bytes);
  }
  Buffer buffer = Buffer::Allocate(bytes.size());
  std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return {spec.name, DType::kBytes, {static_cast<int64_t>(examples.size())}, std::move(buffer)};
}

}  // namespace

Result<std::vector<Example>> ExamplesOf(const tensorflow::serving::Input& input) {
  std::vector<Example> examples;
  if (input.has_example_list()) {
    const auto& list = input.example_list().examples();
    examples.assign(list.begin(), list.end());
  } else if (input.has_example_list_with_context()) {
    const auto& with_context = input.example_list_with_context();
    for (const Example& own : with_context.examples()) {
      examples.push_back(with_context.context());
      examples.back().MergeFrom(own);
    }
  }
  if (examples.empty()) return InvalidArgument("Input is empty.");
  if (examples.size() > static_cast<size_t>(kExamplesMax))
    return InvalidArgument("{} examples in one request, at most {} are served", examples.size(),
                           kExamplesMax);
  return examples;
}

Result<std::vector<Tensor>> TensorsOfExamples(const std::vector<Example>& examples,
                                              const std::vector<TensorSpec>& inputs) {
  std::vector<Tensor> tensors;
  if (inputs.size() == 1 && inputs[0].dtype == DType::kBytes && inputs[0].shape.size() == 1) {
    tensors.push_back(SerializedExamples(examples, inputs[0]));
    return tensors;
  }
  for (const TensorSpec& spec : inputs) {
    SNUG_ASSIGN_OR_RETURN(tensors.emplace_back(), FeatureTensor(examples, spec));
  }
  return tensors;
}

}  // namespace snug::server
