#include <charconv>
#include <cmath>
#include <cstring>

#include "base/utf8.h"
#include "server/base64.h"
#include "server/json_writer.h"
#include "server/tfs_call.h"
#include "server/tfs_json.h"

namespace snug::server {
namespace {

constexpr std::string_view kBytesSuffix = "_bytes";

template <typename T>
void WriteNumber(std::string& out, T value) {
  char digits[40];
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) {
      out += "null";
      return;
    }
  }
  const char* end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  const std::string_view text(digits, static_cast<size_t>(end - digits));
  out += text;
  // A float stays one for readers that tell them apart.
  if (std::is_floating_point_v<T> && text.find_first_of(".en") == std::string_view::npos) out += ".0";
}

void WriteText(std::string& out, std::string_view text) {
  JsonWriter json;
  json.Value(text);
  out += json.text();
}

// Walks a tensor's elements in order.
class ElementWriter {
 public:
  explicit ElementWriter(const Tensor& tensor)
      : tensor_(tensor),
        base64_(std::string_view(tensor.name).ends_with(kBytesSuffix)),
        at_(static_cast<const char*>(tensor.buffer.data())) {}

  // The value of all from dimension `d` on, at the cursor.
  void Write(std::string& out, size_t d) {
    if (d == tensor_.shape.size()) return WriteElement(out);
    out += '[';
    for (int64_t i = 0; i < tensor_.shape[d]; ++i) {
      if (i > 0) out += ',';
      Write(out, d + 1);
    }
    out += ']';
  }

 private:
  template <typename T>
  T Next() {
    T value;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  void WriteElement(std::string& out) {
    switch (tensor_.dtype) {
      case DType::kBytes:
        return WriteString(out);
      case DType::kBool:
        out += Next<uint8_t>() != 0 ? "true" : "false";
        return;
      case DType::kFp32:
        return WriteNumber(out, Next<float>());
      case DType::kFp64:
        return WriteNumber(out, Next<double>());
      case DType::kInt64:
        return WriteNumber(out, Next<int64_t>());
      case DType::kInt32:
        return WriteNumber(out, Next<int32_t>());
      case DType::kInt16:
        return WriteNumber(out, Next<int16_t>());
      case DType::kInt8:
        return WriteNumber(out, Next<int8_t>());
      case DType::kUint64:
        return WriteNumber(out, Next<uint64_t>());
      case DType::kUint32:
        return WriteNumber(out, Next<uint32_t>());
      case DType::kUint16:
        return WriteNumber(out, Next<uint16_t>());
      case DType::kUint8:
        return WriteNumber(out, Next<uint8_t>());
      default:
        return;
    }
  }
  void WriteString(std::string& out) {
    const auto length = Next<uint32_t>();
    const std::string_view text(at_, length);
    at_ += length;
    if (!base64_ && IsUtf8(text)) return WriteText(out, text);
    out.append("{\"b64\":\"").append(EncodeBase64(text)).append("\"}");
  }

  const Tensor& tensor_;
  const bool base64_;
  const char* at_;
};

Status CheckWritable(const std::vector<Tensor>& outputs) {
  for (const Tensor& tensor : outputs) {
    if (tensor.dtype == DType::kFp16 || tensor.dtype == DType::kBf16)
      return InvalidArgument("output \"{}\" is {}, which JSON does not carry here: ask for it by gRPC",
                             tensor.name, TfsTypeName(tensor.dtype));
    // Engines' outputs are checked already; a walk over a buffer believes nothing but this.
    SNUG_RETURN_IF_ERROR(CheckTensorBytes(tensor.name, tensor.dtype, tensor.shape, tensor.buffer.data(),
                                          tensor.buffer.size()));
  }
  return {};
}

Result<int64_t> RowsOf(const std::vector<Tensor>& outputs) {
  for (const Tensor& tensor : outputs) {
    if (tensor.shape.empty())
      return InvalidArgument(
          "Tensor name: {} has no rows: it is a single value; send \"inputs\" instead of "
          "\"instances\" to get it",
          tensor.name);
    if (tensor.shape[0] != outputs[0].shape[0])
      return InvalidArgument(
          "Tensor name: {} has inconsistent batch size: {} expecting: {}; send \"inputs\" instead "
          "of \"instances\" to get it",
          tensor.name, tensor.shape[0], outputs[0].shape[0]);
  }
  return outputs.empty() ? int64_t{0} : outputs[0].shape[0];
}

Result<std::string> WriteRows(const std::vector<Tensor>& outputs) {
  SNUG_ASSIGN_OR_RETURN(const int64_t rows, RowsOf(outputs));
  std::string out = "{\"predictions\":[";
  std::vector<ElementWriter> writers(outputs.begin(), outputs.end());
  for (int64_t row = 0; row < rows; ++row) {
    if (row > 0) out += ',';
    if (outputs.size() == 1) {
      writers[0].Write(out, 1);
      continue;
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      out += i == 0 ? '{' : ',';
      WriteText(out, outputs[i].name);
      out += ':';
      writers[i].Write(out, 1);
    }
    out += '}';
  }
  return out + "]}";
}

std::string WriteColumns(const std::vector<Tensor>& outputs) {
  std::string out = "{\"outputs\":";
  if (outputs.size() == 1) {
    ElementWriter(outputs[0]).Write(out, 0);
    return out + "}";
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    out += i == 0 ? '{' : ',';
    WriteText(out, outputs[i].name);
    out += ':';
    ElementWriter(outputs[i]).Write(out, 0);
  }
  return out + "}}";
}

}  // namespace

Result<std::string> WritePredict(TfsFormat format, const std::vector<Tensor>& outputs) {
  SNUG_RETURN_IF_ERROR(CheckWritable(outputs));
  if (format == TfsFormat::kRows) return WriteRows(outputs);
  return WriteColumns(outputs);
}

std::string WriteResult(const tensorflow::serving::InferenceResult& result) {
  std::string out = "{\"results\":[";
  const size_t empty = out.size();
  for (const auto& regression : result.regression_result().regressions()) {
    if (out.size() > empty) out += ',';
    WriteNumber(out, regression.value());
  }
  for (const auto& list : result.classification_result().classifications()) {
    out += out.size() > empty ? ",[" : "[";
    bool first = true;
    for (const auto& one : list.classes()) {
      out += first ? "[" : ",[";
      first = false;
      WriteText(out, one.label());
      out += ',';
      WriteNumber(out, one.score());
      out += ']';
    }
    out += ']';
  }
  return out + "]}";
}

}  // namespace snug::server
