#include "server/oip_tensor.h"

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
    std::memcpy(out + sizeof length, value.data(), value.size());
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
  if (input.parameters().count("shared_memory_region") > 0) {
    return InvalidArgument(
        "input \"{}\": shared memory is not supported, send the tensor in raw_input_contents", input.name());
  }
  return {};
}

Buffer BorrowRaw(const std::shared_ptr<inference::ModelInferRequest>& request, int index) {
  std::string* raw = request->mutable_raw_input_contents(index);
  return Buffer::Borrow(raw->data(), raw->size(), request);
}

Status CheckRawCount(const inference::ModelInferRequest& request) {
  if (request.raw_input_contents_size() == 0 || request.raw_input_contents_size() == request.inputs_size())
    return {};
  return InvalidArgument(
      "{} inputs, but {} raw_input_contents: each input needs one, in the same order, or none and "
      "all have contents",
      request.inputs_size(), request.raw_input_contents_size());
}

}  // namespace

Result<std::vector<Tensor>> OipInputs(const std::shared_ptr<inference::ModelInferRequest>& request) {
  if (static_cast<size_t>(request->inputs_size()) > kTensorsMax) {
    return InvalidArgument("{} inputs, at most {} are possible", request->inputs_size(), kTensorsMax);
  }
  SNUG_RETURN_IF_ERROR(CheckRawCount(*request));
  std::vector<Tensor> tensors;
  tensors.reserve(static_cast<size_t>(request->inputs_size()));
  for (int i = 0; i < request->inputs_size(); ++i) {
    const InputTensor& input = request->inputs(i);
    SNUG_RETURN_IF_ERROR(CheckInput(input));
    Tensor& tensor = tensors.emplace_back();
    tensor.name = input.name();
    tensor.dtype = *DTypeFromName(input.datatype());
    tensor.shape.assign(input.shape().begin(), input.shape().end());
    if (request->raw_input_contents_size() == 0) {
      SNUG_ASSIGN_OR_RETURN(tensor.buffer, TypedContents(input, tensor.dtype, tensor.shape));
    } else if (ContentsCount(input.contents()) > 0) {
      return InvalidArgument(
          "input \"{}\" has contents although the request has raw_input_contents: send one of them",
          input.name());
    } else {
      tensor.buffer = BorrowRaw(request, i);
    }
  }
  return tensors;
}

Result<std::vector<std::string>> OipOutputs(const inference::ModelInferRequest& request) {
  std::vector<std::string> names;
  for (const auto& output : request.outputs()) {
    if (output.parameters().count("classification") > 0) {
      return InvalidArgument(
          "output \"{}\": the classification extension is not supported: leave it out and sort the "
          "scores",
          output.name());
    }
    if (output.parameters().count("shared_memory_region") > 0) {
      return InvalidArgument("output \"{}\": shared memory is not supported", output.name());
    }
    names.push_back(output.name());
  }
  return names;
}

void DescribeOutputs(const std::vector<Tensor>& outputs, inference::ModelInferResponse& response) {
  for (const Tensor& tensor : outputs) {
    auto* output = response.add_outputs();
    output->set_name(tensor.name);
    output->set_datatype(std::string(DTypeName(tensor.dtype)));
    output->mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
  }
}

}  // namespace snug::server
