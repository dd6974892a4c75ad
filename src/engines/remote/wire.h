// Protobuf's wire format, the little of it that the two protocols need. Pure; trusts no byte. Own lines
// instead of protobuf and gRPC: Debian's static ones cannot be linked into a shared library (they are not
// position-independent), and the shared ones would bring some hundred libraries into every server that only
// looks at the plug-in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine.h"

namespace snug::remote {

// Writes fields in the order of the calls.
class Writer {
 public:
  void Varint(uint32_t field, uint64_t value);
  void Bytes(uint32_t field, std::string_view bytes);
  // Shape-like lists: always written, packed.
  void PackedVarints(uint32_t field, const std::vector<int64_t>& values);
  void Reserve(size_t bytes) { text_.reserve(bytes); }
  std::string& text() { return text_; }

 private:
  void Raw(uint64_t value);
  void Tag(uint32_t field, uint32_t type) { Raw(uint64_t{field} << 3 | type); }

  std::string text_;
};

// Walks over a message's fields: while (r.Next()) switch (r.field()) … Throws kit::Failure(INTERNAL) when it
// is cut off or malformed. What a getter does not fit is taken for malformed, too.
class Reader {
 public:
  explicit Reader(std::string_view message) : rest_(message) {}
  bool Next();
  uint32_t field() const { return field_; }
  uint64_t Number() const;         // varint
  std::string_view Bytes() const;  // length-delimited
  // A repeated number, packed or alone: appended. `Varints` for all integers; the others for fixed widths.
  void Varints(std::vector<uint64_t>& to) const;
  void Fixed(size_t width, std::string& to) const;

 private:
  uint64_t TakeVarint();
  std::string_view Take(uint64_t count);

  std::string_view rest_;
  uint32_t field_ = 0;
  uint32_t type_ = 0;
  uint64_t number_ = 0;
  std::string_view bytes_;
};

// A tensor out of an answer. `data` is in Snug's layout, in the message or in `own`.
struct AnswerTensor {
  std::string name;
  snug_dtype dtype = 0;
  std::vector<int64_t> dims;
  std::string_view raw;  // while the message lives
  std::string own;       // when the message had it in another form
  std::string_view data() const { return own.empty() ? raw : std::string_view(own); }
};

// What a server says of a model.
struct TensorAbout {
  std::string name;
  snug_dtype dtype = 0;
  std::vector<int64_t> dims;
};
struct Metadata {
  std::vector<TensorAbout> inputs;
  std::vector<TensorAbout> outputs;
};

// The elements of a dims list, checked against overflow and a bound; throws for a negative one.
uint64_t CountElements(const std::vector<int64_t>& dims);
// Appends a string in Snug's layout: a 4-byte length and the bytes.
void AppendString(std::string_view text, std::string& to);
// Integers of a typed list as elements of `width` bytes each.
std::string Narrow(const std::vector<uint64_t>& values, size_t width);

}  // namespace snug::remote
