#include "server/tfs_tensor.h"

#include <cstring>
#include <limits>
#include <type_traits>

#include "server/tfs_call.h"

namespace snug::server {
namespace {

using tensorflow::TensorProto;
using tensorflow::TensorShapeProto;

constexpr int kRankMax = 16;

Result<Shape> ReadShape(const std::string& name, const TensorShapeProto& proto) {
  if (proto.unknown_rank()) return InvalidArgument("tensor \"{}\": its tensor_shape has unknown_rank", name);
  if (proto.dim_size() > kRankMax)
    return InvalidArgument("tensor \"{}\" has {} dimensions, at most {} are served", name, proto.dim_size(),
                           kRankMax);
  Shape shape;
  for (const auto& dim : proto.dim()) shape.push_back(dim.size());
  if (!ElementCount(shape))
    return InvalidArgument("tensor \"{}\": shape {} is not valid", name, ShapeText(shape));
  return shape;
}

Status TooMany(const std::string& name, const Shape& shape, uint64_t count, size_t values) {
  return InvalidArgument("tensor \"{}\": shape {} has {} elements, the message holds {} values", name,
                         ShapeText(shape), count, values);
}

// What fewer values than elements may grow to.
Status CheckFill(const std::string& name, const Shape& shape, uint64_t count, size_t values,
                 size_t element_bytes) {
  if (values > count) return TooMany(name, shape, count, values);
  if (values == count || count <= kFilledBytesMax / element_bytes) return {};
  return InvalidArgument(
      "tensor \"{}\": shape {} has {} elements, the message holds {} values; the last one stands for the "
      "rest in "
      "tensors of up to {} bytes only",
      name, ShapeText(shape), count, values, kFilledBytesMax);
}

// From a repeated field's values to T; false when one does not fit.
template <typename T, typename Values>
bool Convert(const Values& values, uint64_t count, T* out) {
  using Value = std::remove_cv_t<std::remove_reference_t<decltype(values.Get(0))>>;
  const auto present = static_cast<uint64_t>(values.size());
  if constexpr (std::is_same_v<T, Value>) {
    if (present > 0) std::memcpy(out, values.data(), present * sizeof(T));
  } else {
    for (uint64_t i = 0; i < present; ++i) {
      const Value value = values.Get(static_cast<int>(i));
      if constexpr (!std::is_same_v<T, uint8_t> || !std::is_same_v<Value, bool>) {
        if (value < static_cast<Value>(std::numeric_limits<T>::min()) ||
            value > static_cast<Value>(std::numeric_limits<T>::max()))
          return false;
      }
      out[i] = static_cast<T>(value);
    }
  }
  const T last = present > 0 ? out[present - 1] : T{};
  std::fill(out + present, out + count, last);
  return true;
}

template <typename T, typename Values>
Result<Buffer> ReadValues(const std::string& name, DType dtype, const Shape& shape, const Values& values) {
  const uint64_t count = *ElementCount(shape);
  SNUG_RETURN_IF_ERROR(CheckFill(name, shape, count, static_cast<size_t>(values.size()), sizeof(T)));
  Buffer buffer = Buffer::Allocate(count * sizeof(T));
  if (Convert<T>(values, count, static_cast<T*>(buffer.data()))) return buffer;
  return InvalidArgument("tensor \"{}\": a value does not fit {}", name, TfsTypeName(dtype));
}

Result<Buffer> ReadNumbers(const std::string& name, DType dtype, const Shape& shape,
                           const TensorProto& proto) {
  switch (dtype) {
    case DType::kFp32:
      return ReadValues<float>(name, dtype, shape, proto.float_val());
    case DType::kFp64:
      return ReadValues<double>(name, dtype, shape, proto.double_val());
    case DType::kInt64:
      return ReadValues<int64_t>(name, dtype, shape, proto.int64_val());
    case DType::kUint64:
      return ReadValues<uint64_t>(name, dtype, shape, proto.uint64_val());
    case DType::kUint32:
      return ReadValues<uint32_t>(name, dtype, shape, proto.uint32_val());
    case DType::kInt32:
      return ReadValues<int32_t>(name, dtype, shape, proto.int_val());
    case DType::kInt16:
      return ReadValues<int16_t>(name, dtype, shape, proto.int_val());
    case DType::kInt8:
      return ReadValues<int8_t>(name, dtype, shape, proto.int_val());
    case DType::kUint16:
      return ReadValues<uint16_t>(name, dtype, shape, proto.int_val());
    case DType::kUint8:
      return ReadValues<uint8_t>(name, dtype, shape, proto.int_val());
    case DType::kBool:
      return ReadValues<uint8_t>(name, dtype, shape, proto.bool_val());
    default:
      return ReadValues<uint16_t>(name, dtype, shape, proto.half_val());
  }
}

void AppendString(std::string& bytes, std::string_view text) {
  const auto length = static_cast<uint32_t>(text.size());
  bytes.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
}

Buffer CopyOf(const std::string& bytes) {
  Buffer buffer = Buffer::Allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return buffer;
}

Result<Buffer> ReadStrings(const std::string& name, const Shape& shape, const TensorProto& proto) {
  const uint64_t count = *ElementCount(shape);
  const auto present = static_cast<size_t>(proto.string_val_size());
  const size_t last_bytes = present > 0 ? proto.string_val(static_cast<int>(present) - 1).size() : 0;
  SNUG_RETURN_IF_ERROR(CheckFill(name, shape, count, present, sizeof(uint32_t) + last_bytes));
  std::string bytes;
  for (const std::string& text : proto.string_val()) AppendString(bytes, text);
  const std::string_view last = present > 0 ? std::string_view(*proto.string_val().rbegin()) : "";
  for (uint64_t i = present; i < count; ++i) AppendString(bytes, last);
  return CopyOf(bytes);
}

bool TakeVarint(std::string_view& bytes, uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 35 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// tensor_content of DT_STRING: the lengths as varints, then all the bytes.
Result<Buffer> ReadStringContent(const std::string& name, const Shape& shape, std::string_view content) {
  const uint64_t count = *ElementCount(shape);
  if (count > content.size()) return TooMany(name, shape, count, content.size());
  std::vector<uint64_t> lengths(count);
  uint64_t total = 0;
  for (uint64_t& length : lengths) {
    if (!TakeVarint(content, length))
      return InvalidArgument("tensor \"{}\": tensor_content does not hold {} strings", name, count);
    total += length;
  }
  if (total != content.size())
    return InvalidArgument("tensor \"{}\": the strings of tensor_content need {} bytes, {} are there", name,
                           total, content.size());
  std::string bytes;
  for (uint64_t length : lengths) {
    AppendString(bytes, content.substr(0, length));
    content.remove_prefix(length);
  }
  return CopyOf(bytes);
}

Result<Buffer> ReadContent(const std::string& name, DType dtype, const Shape& shape, const TensorProto& proto,
                           std::shared_ptr<void> owner) {
  const std::string& content = proto.tensor_content();
  SNUG_RETURN_IF_ERROR(CheckTensorBytes(name, dtype, shape, content.data(), content.size()));
  return Buffer::Borrow(const_cast<char*>(content.data()), content.size(), std::move(owner));
}

template <typename T, typename Values>
void WriteValues(const Tensor& tensor, Values* values) {
  using Value = std::remove_cv_t<std::remove_reference_t<decltype(values->Get(0))>>;
  const auto* from = static_cast<const T*>(tensor.buffer.data());
  const size_t count = tensor.buffer.size() / sizeof(T);
  values->Resize(static_cast<int>(count), Value{});
  if constexpr (std::is_same_v<T, Value>) {
    if (count > 0) std::memcpy(values->mutable_data(), from, count * sizeof(T));
  } else {
    for (size_t i = 0; i < count; ++i) values->Set(static_cast<int>(i), static_cast<Value>(from[i]));
  }
}

// The elements were checked when the engine wrote them.
void WriteStrings(const Tensor& tensor, TensorProto* proto) {
  const char* at = static_cast<const char*>(tensor.buffer.data());
  const char* end = at + tensor.buffer.size();
  while (static_cast<size_t>(end - at) >= sizeof(uint32_t)) {
    uint32_t length = 0;
    std::memcpy(&length, at, sizeof length);
    at += sizeof length;
    if (length > static_cast<size_t>(end - at)) return;
    proto->add_string_val(at, length);
    at += length;
  }
}

}  // namespace

Result<Tensor> TensorFromProto(const std::string& name, const TensorProto& proto,
                               std::shared_ptr<void> owner) {
  const auto dtype = TypeFromTfs(proto.dtype());
  if (!dtype) {
    const std::string type = tensorflow::DataType_Name(proto.dtype());
    return InvalidArgument("tensor \"{}\": dtype {} is not served", name,
                           type.empty() ? std::to_string(proto.dtype()) : type);
  }
  Tensor tensor;
  tensor.name = name;
  tensor.dtype = *dtype;
  SNUG_ASSIGN_OR_RETURN(tensor.shape, ReadShape(name, proto.tensor_shape()));
  const std::string& content = proto.tensor_content();
  const bool strings = *dtype == DType::kBytes;
  auto buffer = content.empty() ? (strings ? ReadStrings(name, tensor.shape, proto)
                                           : ReadNumbers(name, *dtype, tensor.shape, proto))
                : strings       ? ReadStringContent(name, tensor.shape, content)
                                : ReadContent(name, *dtype, tensor.shape, proto, std::move(owner));
  if (!buffer.ok()) return buffer.status();
  tensor.buffer = *std::move(buffer);
  return tensor;
}

void TensorToProto(const Tensor& tensor, TensorProto* proto) {
  proto->set_dtype(static_cast<tensorflow::DataType>(TfsTypeNumber(tensor.dtype)));
  auto* shape = proto->mutable_tensor_shape();
  for (int64_t dim : tensor.shape) shape->add_dim()->set_size(dim);
  switch (tensor.dtype) {
    case DType::kFp32:
      return WriteValues<float>(tensor, proto->mutable_float_val());
    case DType::kFp64:
      return WriteValues<double>(tensor, proto->mutable_double_val());
    case DType::kInt64:
      return WriteValues<int64_t>(tensor, proto->mutable_int64_val());
    case DType::kUint64:
      return WriteValues<uint64_t>(tensor, proto->mutable_uint64_val());
    case DType::kUint32:
      return WriteValues<uint32_t>(tensor, proto->mutable_uint32_val());
    case DType::kInt32:
      return WriteValues<int32_t>(tensor, proto->mutable_int_val());
    case DType::kInt16:
      return WriteValues<int16_t>(tensor, proto->mutable_int_val());
    case DType::kInt8:
      return WriteValues<int8_t>(tensor, proto->mutable_int_val());
    case DType::kUint16:
      return WriteValues<uint16_t>(tensor, proto->mutable_int_val());
    case DType::kUint8:
      return WriteValues<uint8_t>(tensor, proto->mutable_int_val());
    case DType::kBool:
      return WriteValues<uint8_t>(tensor, proto->mutable_bool_val());
    case DType::kFp16:
    case DType::kBf16:
      return WriteValues<uint16_t>(tensor, proto->mutable_half_val());
    case DType::kBytes:
      return WriteStrings(tensor, proto);
  }
}

}  // namespace snug::server
