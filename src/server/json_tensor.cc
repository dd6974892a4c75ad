#include "server/json_tensor.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/utf8.h"

namespace snug::server {
namespace {

// Calls f with a value of the C++ type behind a numeric dtype; false for the others.
template <typename F>
bool WithNumberType(DType dtype, F f) {
  switch (dtype) {
    case DType::kUint8:
      f(uint8_t{});
      return true;
    case DType::kUint16:
      f(uint16_t{});
      return true;
    case DType::kUint32:
      f(uint32_t{});
      return true;
    case DType::kUint64:
      f(uint64_t{});
      return true;
    case DType::kInt8:
      f(int8_t{});
      return true;
    case DType::kInt16:
      f(int16_t{});
      return true;
    case DType::kInt32:
      f(int32_t{});
      return true;
    case DType::kInt64:
      f(int64_t{});
      return true;
    case DType::kFp32:
      f(float{});
      return true;
    case DType::kFp64:
      f(double{});
      return true;
    default:
      return false;
  }
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// from_chars reports underflow like overflow; JSON's 1e-60 is a fine FP32 zero.
template <typename Float>
bool Reread(const char* begin, const char* end, Float& value) {
  const double wide = std::strtod(std::string(begin, end).c_str(), nullptr);
  value = static_cast<Float>(wide);
  return std::isfinite(wide) && std::isfinite(value);
}

// Eight characters in a register, digits as their values, the first one lowest: tensors of a megabyte of text
// are read at this pace, not a character at a time.
uint64_t EightCharacters(const char* at) {
  static_assert(std::endian::native == std::endian::little);
  uint64_t text = 0;
  std::memcpy(&text, at, sizeof text);
  return text ^ 0x3030303030303030;
}

// A bit in each character that is no digit; behind the first such one, in others too.
uint64_t NoDigits(uint64_t characters) {
  return (characters | (characters + 0x0606060606060606)) & 0xf0f0f0f0f0f0f0f0;
}

// Eight digits as a number: neighbours are joined to pairs, fours and the whole.
uint64_t JoinDigits(uint64_t digits) {
  digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;
  digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffff;
  return (digits * 10'000 + (digits >> 32)) & 0x00000000ffffffff;
}

// Moves over digits and appends them to a number; more than 19 wrap it around.
void TakeDigits(const char*& at, const char* end, uint64_t& number) {
  static constexpr uint64_t kTens[] = {1, 10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000};
  while (end - at >= 8) {
    const uint64_t text = EightCharacters(at);
    const uint64_t others = NoDigits(text);
    if (others != 0) {
      const auto count = static_cast<unsigned>(std::countr_zero(others)) / 8;
      if (count > 0)
        number = number * kTens[count] + JoinDigits(text << (64 - 8 * count));  // zeros before them
      at += count;
      return;
    }
    number = number * 100'000'000 + JoinDigits(text);
    at += 8;
  }
  while (at != end && IsDigit(*at)) number = number * 10 + static_cast<uint64_t>(*at++ - '0');
}

// Reads the usual decimal, "-0.12345678"; false where from_chars has to take care. As a double, digits and
// power of ten are each exact or off by half a unit, so the quotient is off by one and a half at most: as
// good as exact for a float, unless it lies next to the middle of two floats. For doubles only what is exact
// is read here.
template <typename Float>
bool ReadDecimal(const char*& at, const char* end, Float& value) {
  static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                       1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
  constexpr bool kIsFloat = std::is_same_v<Float, float>;
  constexpr int kDigitsMax = kIsFloat ? 19 : 15;   // fit 64 bits; are exact
  constexpr uint64_t kMiddle = uint64_t{1} << 28;  // of the bits that a double has and a float lacks
  constexpr uint64_t kDoubtful = 2;                // units around it
  static constexpr double kSigns[] = {1, -1};      // a branch would be mispredicted for every other number
  const size_t negative = *at == '-' ? 1 : 0;
  const char* const first = at + negative;
  const char* p = first;
  uint64_t digits = 0;
  while (p != end && IsDigit(*p)) digits = digits * 10 + static_cast<uint64_t>(*p++ - '0');  // mostly one
  const auto whole = p - first - (*first == '0' ? 1 : 0);
  ptrdiff_t decimals = 0;
  if (p != end && *p == '.') {
    const char* const fraction = ++p;
    TakeDigits(p, end, digits);
    decimals = p - fraction;
    if (decimals == 0) return false;
  }
  if (whole + decimals > kDigitsMax || (p != end && (*p == 'e' || *p == 'E'))) return false;
  const double wide = static_cast<double>(digits) / kPowers[decimals];
  if (kIsFloat) {
    const uint64_t lost = std::bit_cast<uint64_t>(wide) & (2 * kMiddle - 1);
    if (lost - (kMiddle - kDoubtful) <= 2 * kDoubtful) return false;
  }
  value = static_cast<Float>(wide * kSigns[negative]);
  at = p;
  return true;
}

enum class Parsed { kYes, kNoNumber, kNoInteger, kNoFit };

template <typename T>
Parsed ParseNumber(const char*& at, const char* end, T& value) {
  if (at == end) return Parsed::kNoNumber;
  const char* const first = at + (*at == '-' ? 1 : 0);
  if (first == end || !IsDigit(*first)) return Parsed::kNoNumber;
  if constexpr (std::is_floating_point_v<T>) {
    if (ReadDecimal(at, end, value)) return Parsed::kYes;
  }
  auto [rest, error] = std::from_chars(at, end, value);
  if constexpr (std::is_floating_point_v<T>) {
    if (error == std::errc::result_out_of_range && !Reread(at, rest, value)) return Parsed::kNoFit;
  } else {
    if (error != std::errc()) return Parsed::kNoFit;  // too large, or negative for an unsigned type
    if (rest != end && (*rest == '.' || *rest == 'e' || *rest == 'E')) return Parsed::kNoInteger;
  }
  at = rest;
  return Parsed::kYes;
}

// Where the elements go.
class ElementReader {
 public:
  virtual ~ElementReader() = default;
  // Reads the elements of an array whose '[' was read, with its ']', at most `count`; sets how many there
  // were.
  virtual bool ReadRow(JsonReader& json, uint64_t count, uint64_t& read) = 0;
};

// Moves over white space, then says whether the array goes on: reads ',' between elements and ']' at the end.
bool NextInRow(JsonReader& json, const char*& at, bool first, bool& more) {
  auto space = [&] {
    while (at != json.end() && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
  };
  space();
  if (at != json.end() && *at == ']') {
    ++at;
    more = false;
    return true;
  }
  more = true;
  if (first) return true;
  if (at == json.end() || *at != ',') {
    json.set_cursor(at);
    return json.Fail(at == json.end() ? "the JSON ends too early" : "expected ',' or ']' in \"data\"");
  }
  ++at;
  space();
  return true;
}

template <typename T>
class NumberReader : public ElementReader {
 public:
  NumberReader(const std::string& name, DType dtype, T* out) : name_(name), dtype_(dtype), out_(out) {}

  bool ReadRow(JsonReader& json, uint64_t count, uint64_t& read) override {
    const char* at = json.cursor();
    bool more = false;
    for (read = 0; NextInRow(json, at, read == 0, more) && more; ++read) {
      if (read == count) break;
      const Parsed parsed = ParseNumber(at, json.end(), *out_);
      if (parsed != Parsed::kYes) return Bad(json, at, parsed);
      ++out_;
      ++done_;
    }
    json.set_cursor(at);
    if (more) ++read;  // the array holds more than it may
    return json.ok();
  }

 private:
  bool Bad(JsonReader& json, const char* at, Parsed why) {
    json.set_cursor(at);
    static constexpr std::string_view kTexts[] = {"", "is not a number", "is not a whole number",
                                                  "does not fit"};
    return json.Fail(fmt::format("input \"{}\": element {} of \"data\" {} for datatype {}", name_, done_,
                                 kTexts[static_cast<int>(why)], DTypeName(dtype_)));
  }

  const std::string& name_;
  const DType dtype_;
  T* out_;
  uint64_t done_ = 0;
};

class BoolReader : public ElementReader {
 public:
  explicit BoolReader(uint8_t* out) : out_(out) {}

  bool ReadRow(JsonReader& json, uint64_t count, uint64_t& read) override {
    const char* at = json.cursor();
    bool more = false;
    for (read = 0; NextInRow(json, at, read == 0, more) && more && read < count; ++read) {
      json.set_cursor(at);
      bool value = false;
      int64_t number = 0;
      if (json.Peek() == '0' || json.Peek() == '1') {
        if (!json.Int(number)) return false;
        value = number == 1;
      } else if (!json.Bool(value)) {
        return false;
      }
      *out_++ = value ? 1 : 0;
      at = json.cursor();
    }
    if (json.ok()) json.set_cursor(at);
    if (more) ++read;
    return json.ok();
  }

 private:
  uint8_t* out_;
};

class StringReader : public ElementReader {
 public:
  bool ReadRow(JsonReader& json, uint64_t count, uint64_t& read) override {
    const char* at = json.cursor();
    bool more = false;
    for (read = 0; NextInRow(json, at, read == 0, more) && more && read < count; ++read) {
      json.set_cursor(at);
      if (!json.String(text_)) return false;
      const auto length = static_cast<uint32_t>(text_.size());
      bytes_.append(reinterpret_cast<const char*>(&length), sizeof length).append(text_);
      at = json.cursor();
    }
    if (json.ok()) json.set_cursor(at);
    if (more) ++read;
    return json.ok();
  }
  Buffer Take() const {
    Buffer buffer = Buffer::Allocate(bytes_.size());
    std::memcpy(buffer.data(), bytes_.data(), bytes_.size());
    return buffer;
  }

 private:
  std::string text_;
  std::string bytes_;
};

// Walks the nesting; rows of elements are the reader's.
class ArrayWalk {
 public:
  ArrayWalk(JsonReader& json, const std::string& name, const Shape& shape, ElementReader& reader)
      : json_(json), name_(name), shape_(shape), reader_(reader) {}

  bool Run() {
    if (!Open()) return false;
    const bool nested = shape_.size() > 1 && json_.Peek() == '[';
    if (nested) return Level(0);
    return Row(*ElementCount(shape_), -1);
  }

 private:
  bool Open() {
    if (json_.Peek() != '[') return json_.Fail(fmt::format("input \"{}\": \"data\" must be an array", name_));
    json_.set_cursor(json_.cursor() + 1);
    return true;
  }
  // Within the array of dimension `d`, whose '[' was read.
  bool Level(size_t d) {
    const auto expected = static_cast<uint64_t>(shape_[d]);
    if (d + 1 == shape_.size()) return Row(expected, static_cast<int>(d));
    const char* at = json_.cursor();
    bool more = false;
    uint64_t read = 0;
    for (; NextInRow(json_, at, read == 0, more) && more; ++read) {
      if (read == expected) return Mismatch(expected, "more", static_cast<int>(d));
      json_.set_cursor(at);
      if (!Open() || !Level(d + 1)) return false;
      at = json_.cursor();
    }
    if (!json_.ok()) return false;
    json_.set_cursor(at);
    return read == expected || Mismatch(expected, std::to_string(read), static_cast<int>(d));
  }
  bool Row(uint64_t expected, int d) {
    uint64_t read = 0;
    if (!reader_.ReadRow(json_, expected, read)) return false;
    return read == expected || Mismatch(expected, read > expected ? "more" : std::to_string(read), d);
  }
  bool Mismatch(uint64_t expected, const std::string& got, int d) {
    return json_.Fail(fmt::format("input \"{}\": shape {} needs {} elements in \"data\"{}, got {}", name_,
                                  ShapeText(shape_), expected,
                                  d < 0 ? "" : fmt::format(" at nesting level {}", d + 1), got));
  }

  JsonReader& json_;
  const std::string& name_;
  const Shape& shape_;
  ElementReader& reader_;
};

// Each element takes at least one character and a comma: a shape that the text cannot hold is refused before
// memory is taken for it.
Status CheckCount(const JsonReader& json, const std::string& name, const Shape& shape) {
  auto count = ElementCount(shape);
  if (!count) return InvalidArgument("input \"{}\": shape {} is not valid", name, ShapeText(shape));
  const auto left = static_cast<uint64_t>(json.end() - json.cursor());
  if (*count > left / 2 + 1) {
    return InvalidArgument(
        "input \"{}\": shape {} needs {} elements in \"data\", the request is too short for that", name,
        ShapeText(shape), *count);
  }
  return {};
}

Result<Buffer> ReadInto(JsonReader& json, const std::string& name, const Shape& shape, ElementReader& reader,
                        Buffer buffer) {
  if (!ArrayWalk(json, name, shape, reader).Run()) return json.status();
  return buffer;
}

template <typename T>
void AppendNumber(std::string& out, T value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) {
      out += "null";
      return;
    }
  }
  char digits[40];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

Status WriteStrings(JsonWriter& json, const Tensor& tensor) {
  const char* at = static_cast<const char*>(tensor.buffer.data());
  const char* end = at + tensor.buffer.size();
  while (static_cast<size_t>(end - at) >= sizeof(uint32_t)) {
    uint32_t length = 0;
    std::memcpy(&length, at, sizeof length);
    at += sizeof length;
    if (length > static_cast<size_t>(end - at)) return Internal("output \"{}\": bad BYTES data", tensor.name);
    const std::string_view text(at, length);
    at += length;
    if (!IsUtf8(text)) {
      return InvalidArgument(
          "output \"{}\" is no UTF-8 text, which JSON cannot carry: ask for it with "
          "\"parameters\":{{\"binary_data\":true}}",
          tensor.name);
    }
    json.Value(text);
  }
  return {};
}

}  // namespace

Result<Buffer> ReadJsonTensor(JsonReader& json, const std::string& name, DType dtype, const Shape& shape) {
  SNUG_RETURN_IF_ERROR(CheckCount(json, name, shape));
  if (dtype == DType::kBytes) {
    StringReader reader;
    if (!ArrayWalk(json, name, shape, reader).Run()) return json.status();
    return reader.Take();
  }
  if (dtype == DType::kFp16 || dtype == DType::kBf16) {
    return InvalidArgument("input \"{}\": {} can only be sent as binary data (\"binary_data_size\")", name,
                           DTypeName(dtype));
  }
  Buffer buffer = Buffer::Allocate(*ElementCount(shape) * ElementBytes(dtype));
  if (dtype == DType::kBool) {
    BoolReader reader(static_cast<uint8_t*>(buffer.data()));
    return ReadInto(json, name, shape, reader, std::move(buffer));
  }
  Result<Buffer> result = Internal("datatype {} has no JSON form", DTypeName(dtype));
  WithNumberType(dtype, [&](auto zero) {
    using T = decltype(zero);
    NumberReader<T> reader(name, dtype, static_cast<T*>(buffer.data()));
    result = ReadInto(json, name, shape, reader, std::move(buffer));
  });
  return result;
}

Status WriteJsonTensor(JsonWriter& json, const Tensor& tensor) {
  Status status;
  json.BeginArray();
  std::string& out = json.text();
  const size_t count = tensor.dtype == DType::kBytes ? 0 : tensor.buffer.size() / ElementBytes(tensor.dtype);
  if (tensor.dtype == DType::kBytes) {
    status = WriteStrings(json, tensor);
  } else if (tensor.dtype == DType::kBool) {
    const auto* values = static_cast<const uint8_t*>(tensor.buffer.data());
    for (size_t i = 0; i < count; ++i)
      out.append(i == 0 ? "" : ",").append(values[i] != 0 ? "true" : "false");
  } else if (!WithNumberType(tensor.dtype, [&](auto zero) {
               const auto* values = static_cast<const decltype(zero)*>(tensor.buffer.data());
               for (size_t i = 0; i < count; ++i) {
                 if (i > 0) out += ',';
                 AppendNumber(out, values[i]);
               }
             })) {
    status = InvalidArgument(
        "output \"{}\" is {}, which JSON cannot carry: ask for it with "
        "\"parameters\":{{\"binary_data\":true}}",
        tensor.name, DTypeName(tensor.dtype));
  }
  json.EndArray();
  return status;
}

}  // namespace snug::server
