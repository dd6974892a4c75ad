#include "engines/remote/wire.h"

#include <cstring>

#include "engines/kit/kit.h"

namespace snug::remote {
namespace {

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

[[noreturn]] void Malformed() {
  throw kit::Failure(SNUG_INTERNAL, "the remote server's answer is malformed");
}

}  // namespace

void Writer::Raw(uint64_t value) {
  for (; value >= 0x80; value >>= 7) text_ += static_cast<char>(value | 0x80);
  text_ += static_cast<char>(value);
}

void Writer::Varint(uint32_t field, uint64_t value) {
  Tag(field, kVarint);
  Raw(value);
}

void Writer::Bytes(uint32_t field, std::string_view bytes) {
  Tag(field, kLengthDelimited);
  Raw(bytes.size());
  text_.append(bytes);
}

void Writer::PackedVarints(uint32_t field, const std::vector<int64_t>& values) {
  Writer packed;
  for (int64_t value : values) packed.Raw(static_cast<uint64_t>(value));
  Bytes(field, packed.text());
}

uint64_t Reader::TakeVarint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) Malformed();
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  Malformed();
}

std::string_view Reader::Take(uint64_t count) {
  if (count > rest_.size()) Malformed();
  std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

bool Reader::Next() {
  if (rest_.empty()) return false;
  const uint64_t tag = TakeVarint();
  field_ = static_cast<uint32_t>(tag >> 3);
  type_ = tag & 7;
  if (field_ == 0 || tag >> 35 != 0) Malformed();
  if (type_ == kVarint) {
    number_ = TakeVarint();
  } else if (type_ == kLengthDelimited) {
    bytes_ = Take(TakeVarint());
  } else if (type_ == kFixed64 || type_ == kFixed32) {
    bytes_ = Take(type_ == kFixed64 ? 8 : 4);
  } else {
    Malformed();
  }
  return true;
}

uint64_t Reader::Number() const {
  if (type_ != kVarint) Malformed();
  return number_;
}

std::string_view Reader::Bytes() const {
  if (type_ != kLengthDelimited) Malformed();
  return bytes_;
}

void Reader::Varints(std::vector<uint64_t>& to) const {
  if (type_ == kVarint) return to.push_back(number_);
  Reader packed(Bytes());
  while (!packed.rest_.empty()) to.push_back(packed.TakeVarint());
}

void Reader::Fixed(size_t width, std::string& to) const {
  if (type_ == kVarint || bytes_.size() % width != 0) Malformed();
  to.append(bytes_);
}

uint64_t CountElements(const std::vector<int64_t>& dims) {
  constexpr uint64_t kElementsMax = uint64_t{1} << 40;
  if (dims.size() > SNUG_MAX_RANK) Malformed();
  uint64_t count = 1;
  for (int64_t dim : dims) {
    if (dim < 0 || static_cast<uint64_t>(dim) > kElementsMax) Malformed();
    count *= static_cast<uint64_t>(dim);
    if (count > kElementsMax) Malformed();
  }
  return count;
}

void AppendString(std::string_view text, std::string& to) {
  const auto length = static_cast<uint32_t>(text.size());
  to.append(reinterpret_cast<const char*>(&length), sizeof length);
  to.append(text);
}

std::string Narrow(const std::vector<uint64_t>& values, size_t width) {
  std::string bytes(values.size() * width, '\0');
  for (size_t i = 0; i < values.size(); ++i) std::memcpy(bytes.data() + i * width, &values[i], width);
  return bytes;
}

}  // namespace snug::remote
