#include "server/tfs_json.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>

#include "server/base64.h"
#include "server/json_reader.h"
#include "server/tfs_call.h"

namespace snug::server {
namespace {

constexpr size_t kRankMax = 16;
constexpr std::string_view kBase64Key = "b64";

// The text of the value that stands next, which is skipped.
std::string_view TakeValue(JsonReader& json) {
  json.Peek();
  const char* begin = json.cursor();
  json.Skip();
  return {begin, static_cast<size_t>(json.cursor() - begin)};
}

// {"b64": "…"} after a look ahead; `is` stays false, and the cursor where it was, for other objects.
bool TryBase64(JsonReader& json, bool& is, std::string& bytes) {
  is = false;
  if (json.Peek() != '{') return true;
  const std::string_view rest(json.cursor(), static_cast<size_t>(json.end() - json.cursor()));
  JsonReader ahead(rest);
  std::string key;
  ahead.BeginObject();
  if (!ahead.Key(key) || key != kBase64Key || ahead.Peek() != '"') return true;
  is = true;
  std::string text;
  json.BeginObject();
  if (!json.Key(key) || !json.String(text)) return false;
  if (json.Key(key)) return json.Fail("an object with \"b64\" must have no other key");
  if (!json.ok()) return false;
  return DecodeBase64(text, bytes) || json.Fail("\"b64\" is not valid base64");
}

// from_chars reports underflow like overflow; 1e-60 is a fine DT_FLOAT zero.
template <typename T>
bool ParseFloat(const char* begin, const char* end, const char*& rest, T& value) {
  auto [at, error] = std::from_chars(begin, end, value);
  rest = at;
  if (error == std::errc()) return std::isfinite(value);
  if (error != std::errc::result_out_of_range) return false;
  value = static_cast<T>(std::strtod(std::string(begin, at).c_str(), nullptr));
  return std::isfinite(value);
}

// One input's elements as they are read, its dimensions as the nesting shows them.
class Column {
 public:
  explicit Column(const TensorSpec& spec) : spec_(spec) {}

  // A value of the whole tensor.
  bool ReadAll(JsonReader& json) { return Read(json, 0); }
  // A value of one row more.
  bool ReadRow(JsonReader& json) {
    ++rows_;
    return Read(json, 1);
  }
  uint64_t rows() const { return rows_; }
  Tensor TakeAll() { return Take(dims_); }
  Tensor TakeRows() {
    Shape shape = dims_;
    if (shape.empty()) shape.resize(1);
    shape[0] = static_cast<int64_t>(rows_);
    return Take(std::move(shape));
  }

 private:
  Tensor Take(Shape shape) {
    Buffer buffer = Buffer::Allocate(bytes_.size());
    if (!bytes_.empty()) std::memcpy(buffer.data(), bytes_.data(), bytes_.size());
    return {spec_.name, spec_.dtype, std::move(shape), std::move(buffer)};
  }

  bool Read(JsonReader& json, size_t depth) {
    if (json.Peek() != '[') return ReadScalar(json, depth);
    if (depth == kRankMax) return Fail(json, "is nested too deeply: 16 dimensions at most");
    if (rank_ && depth >= *rank_)
      return Fail(json, fmt::format("has a list at level {}, expected a value", depth));
    int64_t count = 0;
    for (json.BeginArray(); json.Element(); ++count) {
      if (!Read(json, depth + 1)) return false;
    }
    if (!json.ok()) return false;
    return SetDim(json, depth, count);
  }

  bool SetDim(JsonReader& json, size_t depth, int64_t count) {
    if (dims_.size() <= depth) dims_.resize(depth + 1, -1);
    if (dims_[depth] == -1) dims_[depth] = count;
    if (dims_[depth] == count) return true;
    return Fail(json,
                fmt::format("has a list of size {} at level {}, expected {}", count, depth, dims_[depth]));
  }

  bool ReadScalar(JsonReader& json, size_t depth) {
    if (!rank_) rank_ = depth;
    if (depth != *rank_) return Fail(json, fmt::format("has a value at level {}, expected a list", depth));
    if (dims_.size() > depth && depth > 0 && dims_.size() != depth)
      return Fail(json, fmt::format("has a value at level {}, expected a list", depth));
    switch (spec_.dtype) {
      case DType::kBytes:
        return ReadString(json);
      case DType::kBool:
        return ReadBool(json);
      case DType::kFp32:
        return ReadFloat<float>(json);
      case DType::kFp64:
        return ReadFloat<double>(json);
      case DType::kInt64:
        return ReadInteger<int64_t>(json);
      case DType::kInt32:
        return ReadInteger<int32_t>(json);
      case DType::kInt16:
        return ReadInteger<int16_t>(json);
      case DType::kInt8:
        return ReadInteger<int8_t>(json);
      case DType::kUint64:
        return ReadInteger<uint64_t>(json);
      case DType::kUint32:
        return ReadInteger<uint32_t>(json);
      case DType::kUint16:
        return ReadInteger<uint16_t>(json);
      case DType::kUint8:
        return ReadInteger<uint8_t>(json);
      default:
        return Fail(json, "is of a type that JSON does not carry here: send it by gRPC");
    }
  }

  template <typename T>
  bool ReadFloat(JsonReader& json) {
    T value{};
    const char* rest = json.cursor();
    if (!IsNumber(json) || !ParseFloat(json.cursor(), json.end(), rest, value)) return Bad(json);
    json.set_cursor(rest);
    return Append(value);
  }
  template <typename T>
  bool ReadInteger(JsonReader& json) {
    T value{};
    if (!IsNumber(json)) return Bad(json);
    auto [rest, error] = std::from_chars(json.cursor(), json.end(), value);
    if (error != std::errc()) return Bad(json);
    if (rest != json.end() && (*rest == '.' || *rest == 'e' || *rest == 'E')) return Bad(json);
    json.set_cursor(rest);
    return Append(value);
  }
  bool ReadBool(JsonReader& json) {
    const char next = json.Peek();
    if (next != 't' && next != 'f') return Bad(json);
    bool value = false;
    return json.Bool(value) && Append(static_cast<uint8_t>(value));
  }
  bool ReadString(JsonReader& json) {
    bool is_base64 = false;
    if (!TryBase64(json, is_base64, text_)) return false;
    if (!is_base64 && json.Peek() != '"') return Bad(json);
    if (!is_base64 && !json.String(text_)) return false;
    Append(static_cast<uint32_t>(text_.size()));
    bytes_ += text_;
    return true;
  }

  static bool IsNumber(JsonReader& json) {
    const char next = json.Peek();
    return next == '-' || (next >= '0' && next <= '9');
  }
  template <typename T>
  bool Append(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return true;
  }
  bool Bad(JsonReader& json) {
    if (!json.ok()) return false;
    return Fail(json, fmt::format("has a value that is no {}", TfsTypeName(spec_.dtype)));
  }
  bool Fail(JsonReader& json, std::string_view what) {
    return json.Fail(fmt::format("input \"{}\" {}", spec_.name, what));
  }

  const TensorSpec& spec_;
  std::string bytes_;
  std::string text_;
  Shape dims_;                  // -1: not seen yet
  std::optional<size_t> rank_;  // where values stand; once one was seen
  uint64_t rows_ = 0;
};

using Columns = std::map<std::string, Column, std::less<>>;

Columns ColumnsOf(const std::vector<TensorSpec>& inputs) {
  Columns columns;
  for (const TensorSpec& spec : inputs) columns.emplace(spec.name, Column(spec));
  return columns;
}

std::string NamesOf(const std::vector<TensorSpec>& inputs) {
  std::string names;
  for (const TensorSpec& spec : inputs) names += (names.empty() ? "" : ", ") + spec.name;
  return names;
}

// Whether an object stands next that names inputs, and is not a string in base64.
bool NamesInputs(const JsonReader& json, const std::vector<TensorSpec>& inputs) {
  JsonReader ahead(std::string_view(json.cursor(), static_cast<size_t>(json.end() - json.cursor())));
  if (ahead.Peek() != '{') return false;
  if (inputs.size() != 1 || inputs[0].dtype != DType::kBytes) return true;
  std::string key;
  ahead.BeginObject();
  return !(ahead.Key(key) && key == kBase64Key && ahead.Peek() == '"');
}

// {"name": value, …}; each input once.
template <typename ReadValue>
bool ReadNamed(JsonReader& json, Columns& columns, const std::vector<TensorSpec>& inputs, ReadValue read) {
  std::string key;
  size_t count = 0;
  for (json.BeginObject(); json.Key(key); ++count) {
    auto column = columns.find(key);
    if (column == columns.end())
      return json.Fail(fmt::format("unknown input \"{}\"; the signature takes: {}", key, NamesOf(inputs)));
    if (!read(column->second)) return false;
  }
  if (!json.ok()) return false;
  return count == columns.size() || json.Fail(fmt::format("{} inputs, the signature takes {}: {}", count,
                                                          columns.size(), NamesOf(inputs)));
}

bool NeedsNames(JsonReader& json, const std::vector<TensorSpec>& inputs) {
  if (inputs.size() == 1) return false;
  json.Fail(fmt::format("expected an object with the values of {}, as the signature takes {} inputs",
                        NamesOf(inputs), inputs.size()));
  return true;
}

bool ReadRows(JsonReader& json, Columns& columns, const std::vector<TensorSpec>& inputs) {
  uint64_t rows = 0;
  for (json.BeginArray(); json.Element();) {
    ++rows;
    if (NamesInputs(json, inputs)) {
      if (!ReadNamed(json, columns, inputs, [&](Column& column) { return column.ReadRow(json); }))
        return false;
    } else if (NeedsNames(json, inputs) || !columns.begin()->second.ReadRow(json)) {
      return false;
    }
    for (const auto& [name, column] : columns) {
      if (column.rows() != rows)
        return json.Fail(fmt::format("input \"{}\" is given twice, or not at all", name));
    }
  }
  return json.ok() && (rows > 0 || json.Fail("\"instances\" holds no instance"));
}

bool ReadColumns(JsonReader& json, Columns& columns, const std::vector<TensorSpec>& inputs) {
  if (!NamesInputs(json, inputs)) {
    return !NeedsNames(json, inputs) && columns.begin()->second.ReadAll(json);
  }
  std::vector<const Column*> seen;
  return ReadNamed(json, columns, inputs, [&](Column& column) {
    for (const Column* other : seen) {
      if (other == &column) return json.Fail("an input is given twice");
    }
    seen.push_back(&column);
    return column.ReadAll(json);
  });
}

// A feature's value: a string, a number, or a list of either.
bool ReadFeatureValue(JsonReader& json, tensorflow::Feature& feature) {
  std::string text;
  bool is_base64 = false;
  if (!TryBase64(json, is_base64, text)) return false;
  if (is_base64 || json.Peek() == '"') {
    if (feature.has_float_list() || feature.has_int64_list())
      return json.Fail("a feature mixes strings and numbers");
    if (!is_base64 && !json.String(text)) return false;
    feature.mutable_bytes_list()->add_value(text);
    return true;
  }
  const std::string_view number = TakeValue(json);
  if (!json.ok()) return false;
  if (number.empty() || (number[0] != '-' && (number[0] < '0' || number[0] > '9')))
    return json.Fail("a feature must be a string, {\"b64\":…}, a number, or a list of them");
  if (feature.has_bytes_list()) return json.Fail("a feature mixes strings and numbers");
  const char* end = number.data() + number.size();
  int64_t whole = 0;
  auto [rest, error] = std::from_chars(number.data(), end, whole);
  if (error == std::errc() && rest == end && !feature.has_float_list()) {
    feature.mutable_int64_list()->add_value(whole);
    return true;
  }
  float value = 0;
  const char* float_rest = nullptr;
  if (!ParseFloat(number.data(), end, float_rest, value))
    return json.Fail("a feature's number does not fit DT_FLOAT");
  if (feature.has_int64_list()) {  // 1, 2.5: the ones before become floats too
    const auto before = feature.int64_list();
    for (int64_t one : before.value()) feature.mutable_float_list()->add_value(static_cast<float>(one));
  }
  feature.mutable_float_list()->add_value(value);
  return true;
}

bool ReadExample(JsonReader& json, tensorflow::Example* example) {
  std::string key;
  auto& features = *example->mutable_features()->mutable_feature();
  for (json.BeginObject(); json.Key(key);) {
    if (features.contains(key)) return json.Fail(fmt::format("feature \"{}\" is given twice", key));
    tensorflow::Feature& feature = features[key];
    if (json.Peek() != '[') {
      if (!ReadFeatureValue(json, feature)) return false;
      continue;
    }
    for (json.BeginArray(); json.Element();) {
      if (!ReadFeatureValue(json, feature)) return false;
    }
  }
  return json.ok();
}

Status Annotated(const Status& status) {
  return status.ok() ? status : status.Annotate("JSON Parse error");
}

}  // namespace

Result<TfsPredictBody> SplitPredict(std::string_view text) {
  TfsPredictBody body;
  bool rows = false, columns = false;
  JsonReader json(text);
  std::string key;
  for (json.BeginObject(); json.Key(key);) {
    if (key == "signature_name") {
      json.String(body.signature);
    } else if (key == "instances" || key == "inputs") {
      (key == "instances" ? rows : columns) = true;
      body.values = TakeValue(json);
    } else {
      json.Skip();
    }
  }
  SNUG_RETURN_IF_ERROR(Annotated(json.Finish()));
  if (rows == columns)
    return InvalidArgument("{}",
                           rows ? "Not formatted correctly expecting only one of 'inputs' or 'instances' keys"
                                : "Missing 'inputs' or 'instances' key");
  body.format = rows ? TfsFormat::kRows : TfsFormat::kColumns;
  return body;
}

Result<std::vector<Tensor>> ReadPredict(const TfsPredictBody& body, const std::vector<TensorSpec>& inputs) {
  if (inputs.empty())
    return InvalidArgument("the signature takes no inputs, which REST cannot call: use gRPC");
  JsonReader json(body.values);
  Columns columns = ColumnsOf(inputs);
  json.Peek();
  const bool rows = body.format == TfsFormat::kRows;
  if (rows ? ReadRows(json, columns, inputs) : ReadColumns(json, columns, inputs)) json.Finish().ok();
  if (!json.ok())
    return json.status().Annotate(rows ? "JSON Parse error in \"instances\""
                                       : "JSON Parse error in \"inputs\"");
  std::vector<Tensor> tensors;
  for (auto& [name, column] : columns) tensors.push_back(rows ? column.TakeRows() : column.TakeAll());
  return tensors;
}

Result<TfsExamplesBody> ReadExamples(std::string_view text) {
  TfsExamplesBody body;
  std::optional<tensorflow::Example> context;
  tensorflow::serving::ExampleList examples;
  JsonReader json(text);
  std::string key;
  for (json.BeginObject(); json.Key(key);) {
    if (key == "signature_name") {
      json.String(body.signature);
    } else if (key == "context") {
      ReadExample(json, &context.emplace());
    } else if (key == "examples") {
      for (json.BeginArray(); json.Element();) ReadExample(json, examples.add_examples());
    } else {
      json.Skip();
    }
  }
  SNUG_RETURN_IF_ERROR(Annotated(json.Finish()));
  if (examples.examples().empty())
    return InvalidArgument(
        "When method is classify or regress, 'examples' is a list of objects with the features; "
        "it is missing or empty");
  if (context) {
    auto* with_context = body.input.mutable_example_list_with_context();
    *with_context->mutable_context() = *std::move(context);
    *with_context->mutable_examples() = std::move(*examples.mutable_examples());
  } else {
    *body.input.mutable_example_list() = std::move(examples);
  }
  return body;
}

}  // namespace snug::server
