// A pull parser for JSON from the network: one pass, no tree, bounded depth. The caller walks what it
// expects:
//
//   JsonReader json(text);
//   for (json.BeginObject(); json.Key(key);) { if (key == "id") json.String(id); else json.Skip(); }
//   SNUG_RETURN_IF_ERROR(json.Finish());
//
// The first error is kept, with its byte offset; from then on every call returns false and does nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace snug::server {

constexpr int kJsonDepthMax = 63;

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

  // First character of the next token, 0 at the end of the text.
  char Peek();

  // Nothing but white space follows.
  bool AtEnd() { return Peek() == '\0' && at_ == end_; }

  bool BeginObject() { return Begin('{'); }
  // True with the next key, its value to be read next; false after the object's end.
  bool Key(std::string& key);
  bool BeginArray() { return Begin('['); }
  // True when another element follows; false after the array's end.
  bool Element() { return NextItem(']'); }

  bool String(std::string& value);
  bool Int(int64_t& value);
  bool Bool(bool& value);
  bool Skip();  // any value

  // Nothing but white space follows; returns the first error.
  Status Finish();
  const Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }
  // INVALID_ARGUMENT "text (at byte N)"; returns false.
  bool Fail(std::string_view text);

  // For number arrays, which are read by hand: the cursor, which stands before a token.
  const char* cursor() const { return at_; }
  const char* end() const { return end_; }
  void set_cursor(const char* cursor) { at_ = cursor; }
  // Where a value begins, to read it later: Skip() it, and come back with set_cursor.

 private:
  void Space();
  bool Begin(char bracket);
  bool NextItem(char closing);
  bool Literal(std::string_view word);
  bool Unescape(std::string& value);
  bool Unicode(std::string& value);
  bool Hex4(uint32_t& value);

  const char* const begin_;
  const char* at_;
  const char* const end_;
  uint64_t first_ = 0;  // bit d: nothing was read yet at depth d
  int depth_ = 0;
  Status status_;
};

}  // namespace snug::server
