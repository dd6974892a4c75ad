#include "parsers/sinks.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace snug::parsers {
namespace {

// Printable ASCII: it becomes an HTTP header.
bool IsContentType(const char* text) {
  if (text == nullptr) return false;
  size_t length = ::strnlen(text, kContentTypeBytesMax + 1);
  return length <= kContentTypeBytesMax &&
         std::all_of(text, text + length, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

InputSink::InputSink(const ParserRequest& request)
    : request_(request), inputs_(request.inputs.size()), bytes_left_(request.tensor_bytes_max) {
  c_sink_.struct_size = sizeof c_sink_;
  c_sink_.context = this;
  c_sink_.allocate = Allocate;
}

void* InputSink::Allocate(void* context, uint32_t index, int32_t rank, const int64_t* dims,
                          uint64_t bytes) noexcept {
  auto& sink = *static_cast<InputSink*>(context);
  if (!sink.refusal_.ok()) return nullptr;
  try {
    sink.refusal_ = sink.Add(index, rank, dims, bytes);
  } catch (const std::bad_alloc&) {
    sink.refusal_ = Status(Code::kResourceExhausted, "no memory for an input tensor");
  }
  return sink.refusal_.ok() ? sink.inputs_[index].buffer.data() : nullptr;
}

Status InputSink::Add(uint32_t index, int32_t rank, const int64_t* dims, uint64_t bytes) {
  SNUG_RETURN_IF_ERROR(Check(index, rank, dims, bytes));
  const TensorSpec& spec = request_.inputs[index];
  inputs_[index] = {spec.name, spec.dtype, Shape(dims, dims + rank), Buffer::Allocate(bytes)};
  bytes_left_ -= bytes;
  return {};
}

Status InputSink::Check(uint32_t index, int32_t rank, const int64_t* dims, uint64_t bytes) const {
  if (index >= inputs_.size()) {
    return Internal("parser \"{}\": it asked for input {}, the model has {}", request_.parser, index,
                    inputs_.size());
  }
  const TensorSpec& spec = request_.inputs[index];
  if (inputs_[index].buffer.data() != nullptr) {
    return Internal("parser \"{}\": it allocated input \"{}\" twice", request_.parser, spec.name);
  }
  if (rank < 0 || rank > SNUG_MAX_RANK || (rank > 0 && dims == nullptr)) {
    return Internal("parser \"{}\": it gave input \"{}\" rank {} or no dimensions", request_.parser,
                    spec.name, rank);
  }
  return CheckShape(spec, Shape(dims, dims + rank), bytes);
}

Status InputSink::CheckShape(const TensorSpec& spec, const Shape& shape, uint64_t bytes) const {
  auto count = ElementCount(shape);
  if (!count || !ShapeFits(shape, spec.shape)) {
    return InvalidArgument("the payload makes input \"{}\" of shape {}, the model expects {}", spec.name,
                           ShapeText(shape), ShapeText(spec.shape));
  }
  uint64_t expected = 0;
  const bool overflow = __builtin_mul_overflow(*count, uint64_t{ElementBytes(spec.dtype)}, &expected);
  if (bytes > bytes_left_ || overflow) {
    return InvalidArgument("the payload makes input \"{}\" of {} bytes; the inputs of a request may take {}",
                           spec.name, bytes, request_.tensor_bytes_max);
  }
  if (spec.dtype == DType::kBytes || bytes == expected) return {};
  return Internal("parser \"{}\": it asked for {} bytes for input \"{}\", {} {} needs {}", request_.parser,
                  bytes, spec.name, DTypeName(spec.dtype), ShapeText(shape), expected);
}

Result<std::vector<Tensor>> InputSink::Finish(const Status& status) && {
  if (!refusal_.ok()) return refusal_;
  if (!status.ok()) return status;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Tensor& input = inputs_[i];
    if (input.buffer.data() == nullptr) {
      return Internal("parser \"{}\": parse gave no input \"{}\"", request_.parser, request_.inputs[i].name);
    }
    if (input.dtype != DType::kBytes) continue;  // the size was checked when it was allocated
    Status bytes =
        CheckTensorBytes(input.name, input.dtype, input.shape, input.buffer.data(), input.buffer.size());
    if (!bytes.ok()) return Internal("parser \"{}\": parse gave a broken {}", request_.parser, bytes.text());
  }
  return std::move(inputs_);
}

AnswerSink::AnswerSink(const std::string& parser) : parser_(parser) {
  c_sink_.struct_size = sizeof c_sink_;
  c_sink_.context = this;
  c_sink_.allocate = Allocate;
}

void* AnswerSink::Allocate(void* context, const char* content_type, uint64_t bytes) noexcept {
  auto& sink = *static_cast<AnswerSink*>(context);
  if (!sink.refusal_.ok()) return nullptr;
  try {
    sink.refusal_ = sink.Add(content_type, bytes);
  } catch (const std::bad_alloc&) {
    sink.refusal_ = Status(Code::kResourceExhausted, "no memory for the answer");
  }
  return sink.refusal_.ok() ? sink.answer_->data.data() : nullptr;
}

Status AnswerSink::Add(const char* content_type, uint64_t bytes) {
  if (answer_) return Internal("parser \"{}\": format allocated two answers", parser_);
  if (!IsContentType(content_type)) {
    return Internal(
        "parser \"{}\": format gave a content type that is not at most {} printable ASCII characters",
        parser_, kContentTypeBytesMax);
  }
  if (bytes > kAnswerBytesMax) {
    return Error(Code::kResourceExhausted, "parser \"{}\": an answer of {} bytes, at most {} are sent",
                 parser_, bytes, kAnswerBytesMax);
  }
  answer_ = Answer{content_type, std::string(bytes, '\0')};
  return {};
}

Result<Answer> AnswerSink::Finish(const Status& status) && {
  if (!refusal_.ok()) return refusal_;
  if (!status.ok()) return status;
  if (!answer_) return Internal("parser \"{}\": format gave no answer", parser_);
  return std::move(*answer_);
}

}  // namespace snug::parsers
