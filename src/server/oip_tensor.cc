#include "server/oip_tensor.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "server/rest_infer.h"  // kTensorsMax, kRankMax

namespace snug::server {
namespace {

using inference::InferTensorContents;
using InputTensor = inference::ModelInferRequest::InferInputTensor;

int ContentsCount(const InferTensorContents& c) {
  return c.bool_contents_size() + c.int_contents_size() + c.int64_contents_size() + c.uint_contents_size() +
         c.uint64_contents_size() + c.fp32_contents_size() + c.fp64_contents_size() + c.bytes_contents_size();
}

Status WrongField(const InputTensor& input, const char* field, uint64_t expected, int got) {
  return InvalidArgument(
      "input \"{}\": {} {} needs {} elements in contents.{}, got {} there and {} in all of contents",
      input.name(), input.datatype(), ShapeText({input.shape().begin(), input.shape().end()}), expected,
      field, got, ContentsCount(input.contents()));
}

// Copies a repeated field into elements of type T, which may be narrower: values must fit.
template <typename T, typename Field>
Result<Buffer> Copy(const InputTensor& input, const char* name, const Field& values, uint64_t count) {
  if (static_cast<uint64_t>(values.size()) != count || ContentsCount(input.contents()) != values.size()) {
    return WrongField(input, name, count, values.size());
  }
  Buffer buffer = Buffer::Allocate(count * sizeof(T));
  auto* out = static_cast<T*>(buffer.data());
  for (auto value : values) {
    const T narrow = static_cast<T>(value);
    if (static_cast<decltype(value)>(narrow) != value && value == value) {
      return InvalidArgument("input \"{}\": element {} does not fit {}", input.name(),
                             out - static_cast<T*>(buffer.data()), input.datatype());
    }
    *out++ = narrow;
  }
  return buffer;
}

Result<Buffer> CopyStrings(const InputTensor& input, uint64_t count) {
  const auto& values = input.contents().bytes_contents();
  if (static_cast<uint64_t>(values.size()) != count || ContentsCount(input.contents()) != values.size()) {
    return WrongField(input, "bytes_contents", count, values.size());
  }
  size_t bytes = 0;
  for (const std::string& value : values) bytes += sizeof(uint32_t) + value.size();
  Buffer buffer = Buffer::Allocate(bytes);
  char* out = static_cast<char*>(buffer.data());
  for (const std::string& value : values) {
    const auto length = static_cast<uint32_t>(value.size());
    std::memcpy(out, &length, sizeof length);
    std::copy(value.begin(), value.end(), out + sizeof length);
    out += sizeof length + value.size();
  }
  return buffer;
}

Result<Buffer> TypedContents(const InputTensor& input, DType dtype, const Shape& shape) {
  const InferTensorContents& c = input.contents();
  const auto count = ElementCount(shape);
  if (!count) return InvalidArgument("input \"{}\": shape {} is not valid", input.name(), ShapeText(shape));
  switch (dtype) {
    case DType::kBool:
      return Copy<bool>(input, "bool_contents", c.bool_contents(), *count);
    case DType::kInt8:
      return Copy<int8_t>(input, "int_contents", c.int_contents(), *count);
    case DType::kInt16:
      return Copy<int16_t>(input, "int_contents", c.int_contents(), *count);
    case DType::kInt32:
      return Copy<int32_t>(input, "int_contents", c.int_contents(), *count);
    case DType::kInt64:
      return Copy<int64_t>(input, "int64_contents", c.int64_contents(), *count);
    case DType::kUint8:
      return Copy<uint8_t>(input, "uint_contents", c.uint_contents(), *count);
    case DType::kUint16:
      return Copy<uint16_t>(input, "uint_contents", c.uint_contents(), *count);
    case DType::kUint32:
      return Copy<uint32_t>(input, "uint_contents", c.uint_contents(), *count);
    case DType::kUint64:
      return Copy<uint64_t>(input, "uint64_contents", c.uint64_contents(), *count);
    case DType::kFp32:
      return Copy<float>(input, "fp32_contents", c.fp32_contents(), *count);
    case DType::kFp64:
      return Copy<double>(input, "fp64_contents", c.fp64_contents(), *count);
    case DType::kBytes:
      return CopyStrings(input, *count);
    case DType::kFp16:
    case DType::kBf16:
      break;
  }
  return InvalidArgument("input \"{}\": {} can only be sent in raw_input_contents", input.name(),
                         input.datatype());
}

Status CheckInput(const InputTensor& input) {
  if (input.name().empty()) return InvalidArgument("an input has no name");
  if (!DTypeFromName(input.datatype())) {
    return InvalidArgument(
        "input \"{}\": unknown datatype \"{}\"; known are BOOL, UINT8, UINT16, UINT32, UINT64, INT8, "
        "INT16, INT32, INT64, FP16, FP32, FP64, BF16, BYTES",
        input.name(), input.datatype());
  }
  if (static_cast<size_t>(input.shape_size()) > kRankMax) {
    return InvalidArgument("input \"{}\": {} dimensions, at most {} are possible", input.name(),
                           input.shape_size(), kRankMax);
  }
  return {};
}

Buffer BorrowRaw(const std::shared_ptr<inference::ModelInferRequest>& request, int index) {
  std::string* raw = request->mutable_raw_input_contents(index);
  return Buffer::Borrow(raw->data(), raw->size(), request);
}

Status CheckRawCount(const inference::ModelInferRequest& request, int in_message) {
  const int raw = request.raw_input_contents_size();
  if (raw == 0 || raw == in_message) return {};
  return InvalidArgument(
      "{} inputs{}, but {} raw_input_contents: each input needs one, in the same order, or none and "
      "all have contents",
      in_message, in_message == request.inputs_size() ? "" : " besides those in shared memory", raw);
}

// A tensor's parameters about shared memory.
template <typename Tensor>
Result<std::optional<SharedPlace>> PlaceOf(const Tensor& tensor) {
  SharedParameters shared;
  for (const auto& [key, value] : tensor.parameters()) {
    if (key == "shared_memory_region") shared.region = value.string_param();
    if (key == "shared_memory_offset") shared.offset = value.int64_param();
    if (key == "shared_memory_byte_size") shared.bytes = value.int64_param();
  }
  return shared.Place(tensor.name());
}

Status NotePlaces(const inference::ModelInferRequest& request, InferExtras& extras) {
  for (int i = 0; i < request.inputs_size(); ++i) {
    if (request.inputs(i).parameters().empty()) continue;
    SNUG_ASSIGN_OR_RETURN(std::optional<SharedPlace> place, PlaceOf(request.inputs(i)));
    if (place) extras.inputs.emplace_back(static_cast<size_t>(i), *std::move(place));
  }
  return {};
}

bool IsShared(const InferExtras& extras, int input) {
  return std::any_of(extras.inputs.begin(), extras.inputs.end(),
                     [&](const auto& shared) { return shared.first == static_cast<size_t>(input); });
}

}  // namespace

Result<std::vector<Tensor>> OipInputs(const std::shared_ptr<inference::ModelInferRequest>& request,
                                      InferExtras& extras) {
  if (static_cast<size_t>(request->inputs_size()) > kTensorsMax) {
    return InvalidArgument("{} inputs, at most {} are possible", request->inputs_size(), kTensorsMax);
  }
  SNUG_RETURN_IF_ERROR(NotePlaces(*request, extras));
  SNUG_RETURN_IF_ERROR(
      CheckRawCount(*request, request->inputs_size() - static_cast<int>(extras.inputs.size())));
  std::vector<Tensor> tensors;
  tensors.reserve(static_cast<size_t>(request->inputs_size()));
  int raw = 0;
  for (int i = 0; i < request->inputs_size(); ++i) {
    const InputTensor& input = request->inputs(i);
    SNUG_RETURN_IF_ERROR(CheckInput(input));
    Tensor& tensor = tensors.emplace_back();
    tensor.name = input.name();
    tensor.dtype = *DTypeFromName(input.datatype());
    tensor.shape.assign(input.shape().begin(), input.shape().end());
    const bool shared = IsShared(extras, i);
    if (request->raw_input_contents_size() == 0 && !shared) {
      SNUG_ASSIGN_OR_RETURN(tensor.buffer, TypedContents(input, tensor.dtype, tensor.shape));
    } else if (ContentsCount(input.contents()) > 0) {
      return InvalidArgument("input \"{}\" has contents although {}: send one of them", input.name(),
                             shared ? "it is in shared memory" : "the request has raw_input_contents");
    } else if (!shared) {
      tensor.buffer = BorrowRaw(request, raw++);
    }
  }
  return tensors;
}

Result<std::vector<std::string>> OipOutputs(const inference::ModelInferRequest& request,
                                            InferExtras& extras) {
  if (static_cast<size_t>(request.outputs_size()) > kTensorsMax)
    return InvalidArgument("{} outputs, at most {} are possible", request.outputs_size(), kTensorsMax);
  std::vector<std::string> names;
  for (const auto& output : request.outputs()) {
    names.push_back(output.name());
    if (output.parameters().empty()) continue;
    OutputWish wish;
    wish.name = output.name();
    SNUG_ASSIGN_OR_RETURN(wish.place, PlaceOf(output));
    if (auto classes = output.parameters().find("classification"); classes != output.parameters().end()) {
      wish.classes = classes->second.int64_param();
      SNUG_RETURN_IF_ERROR(CheckClasses(wish.name, wish.classes));
    }
    if (wish.classes > 0 || wish.place) extras.outputs.push_back(std::move(wish));
  }
  return names;
}

namespace {

Status WrongType(std::string_view parameter, std::string_view expected) {
  return InvalidArgument("invalid value type for '{}' parameter, expected {}", parameter, expected);
}

}  // namespace

Result<serving::SequenceMark> OipSequence(const inference::ModelInferRequest& request) {
  serving::SequenceMark sequence;
  for (const auto& [name, value] : request.parameters()) {
    if (name == "sequence_start" || name == "sequence_end") {
      if (!value.has_bool_param()) return WrongType(name, "bool_param");
      (name == "sequence_start" ? sequence.start : sequence.end) = value.bool_param();
    } else if (name == "sequence_id") {
      if (value.has_string_param()) {
        sequence.id.text = value.string_param();
      } else if (value.has_uint64_param()) {
        sequence.id.number = value.uint64_param();
      } else if (value.has_int64_param()) {
        sequence.id.number = static_cast<uint64_t>(value.int64_param());
      } else {
        return WrongType(name, "int64_param, uint64_param or string_param");
      }
    }
  }
  return sequence;
}

void DescribeOutputs(const std::vector<Tensor>& outputs, const std::vector<SharedPlace>& placed,
                     inference::ModelInferResponse& response) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    auto* output = response.add_outputs();
    output->set_name(outputs[i].name);
    output->set_datatype(std::string(DTypeName(outputs[i].dtype)));
    output->mutable_shape()->Add(outputs[i].shape.begin(), outputs[i].shape.end());
    if (i >= placed.size() || placed[i].region.empty()) continue;
    auto& parameters = *output->mutable_parameters();
    parameters["shared_memory_region"].set_string_param(placed[i].region);
    parameters["shared_memory_byte_size"].set_int64_param(static_cast<int64_t>(placed[i].bytes));
    if (placed[i].offset > 0)
      parameters["shared_memory_offset"].set_int64_param(static_cast<int64_t>(placed[i].offset));
  }
}

}  // namespace snug::server
