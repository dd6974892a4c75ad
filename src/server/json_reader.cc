#include "server/json_reader.h"

#include <charconv>
#include <cstring>

namespace snug::server {
namespace {

void AppendUtf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

}  // namespace

bool JsonReader::Fail(std::string_view text) {
  if (status_.ok()) status_ = InvalidArgument("{} (at byte {})", text, at_ - begin_);
  return false;
}

void JsonReader::Space() {
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
}

char JsonReader::Peek() {
  Space();
  return at_ == end_ ? '\0' : *at_;
}

bool JsonReader::Begin(char bracket) {
  if (!ok()) return false;
  if (Peek() != bracket) {
    return Fail(at_ == end_ ? "the JSON ends too early"
                            : (bracket == '{' ? "expected a JSON object" : "expected a JSON array"));
  }
  if (depth_ >= kJsonDepthMax) return Fail("the JSON is nested too deeply (63 levels at most)");
  ++at_;
  first_ |= uint64_t{1} << ++depth_;
  return true;
}

bool JsonReader::NextItem(char closing) {
  if (!ok()) return false;
  const uint64_t bit = uint64_t{1} << depth_;
  const char c = Peek();
  const bool first = (first_ & bit) != 0;
  first_ &= ~bit;
  if (c == closing) {
    ++at_;
    --depth_;
    return false;
  }
  if (first) return c != '\0' || Fail("the JSON ends too early");
  if (c != ',')
    return Fail(c == '\0' ? "the JSON ends too early"
                          : "expected ',' or the end of the JSON object or array");
  ++at_;
  return true;
}

bool JsonReader::Key(std::string& key) {
  if (!NextItem('}') || !String(key)) return false;
  if (Peek() != ':') return Fail("expected ':' after a JSON key");
  ++at_;
  return true;
}

bool JsonReader::String(std::string& value) {
  if (!ok()) return false;
  if (Peek() != '"') return Fail("expected a JSON string");
  ++at_;
  value.clear();
  for (;;) {
    const char* from = at_;
    while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20) ++at_;
    value.append(from, at_);
    if (at_ == end_) return Fail("the JSON ends within a string");
    if (*at_ == '"') break;
    if (*at_ != '\\') return Fail("a control character in a JSON string must be escaped");
    if (!Unescape(value)) return false;
  }
  ++at_;
  return true;
}

bool JsonReader::Unescape(std::string& value) {
  static constexpr std::string_view kFrom = "\"\\/bfnrt";
  static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  if (++at_ == end_) return Fail("the JSON ends within a string");
  const char c = *at_++;
  if (c == 'u') return Unicode(value);
  const size_t known = kFrom.find(c);
  if (known == std::string_view::npos) return Fail("unknown escape in a JSON string");
  value += kTo[known];
  return true;
}

bool JsonReader::Unicode(std::string& value) {
  uint32_t code = 0;
  if (!Hex4(code)) return false;
  if (code >= 0xd800 && code < 0xdc00) {
    uint32_t low = 0;
    if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u')
      return Fail("half a surrogate pair in a JSON string");
    at_ += 2;
    if (!Hex4(low)) return false;
    if (low < 0xdc00 || low > 0xdfff) return Fail("half a surrogate pair in a JSON string");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  } else if (code >= 0xdc00 && code <= 0xdfff) {
    return Fail("half a surrogate pair in a JSON string");
  }
  AppendUtf8(value, code);
  return true;
}

bool JsonReader::Hex4(uint32_t& value) {
  if (end_ - at_ < 4) return Fail("the JSON ends within a string");
  auto [rest, error] = std::from_chars(at_, at_ + 4, value, 16);
  if (error != std::errc() || rest != at_ + 4) return Fail("expected four hexadecimal digits after \\u");
  at_ += 4;
  return true;
}

bool JsonReader::Int(int64_t& value) {
  if (!ok()) return false;
  Space();
  auto [rest, error] = std::from_chars(at_, end_, value);
  const bool whole = rest == end_ || (*rest != '.' && *rest != 'e' && *rest != 'E');
  if (error != std::errc() || !whole) return Fail("expected a whole number");
  at_ = rest;
  return true;
}

bool JsonReader::Literal(std::string_view word) {
  if (std::string_view(at_, static_cast<size_t>(end_ - at_)).substr(0, word.size()) != word) return false;
  at_ += word.size();
  return true;
}

bool JsonReader::Bool(bool& value) {
  if (!ok()) return false;
  Space();
  value = Literal("true");
  return value || Literal("false") || Fail("expected true or false");
}

bool JsonReader::Skip() {
  std::string ignored;
  switch (Peek()) {
    case '{':
      for (BeginObject(); Key(ignored);) {
        if (!Skip()) return false;
      }
      return ok();
    case '[':
      for (BeginArray(); Element();) {
        if (!Skip()) return false;
      }
      return ok();
    case '"':
      return String(ignored);
    case 't':
    case 'f': {
      bool value = false;
      return Bool(value);
    }
    case 'n':
      return Literal("null") || Fail("not a JSON value");
    default:
      break;
  }
  if (!ok()) return false;
  double number = 0;
  auto [rest, error] = std::from_chars(at_, end_, number);
  const bool digits = at_ != end_ && (*at_ == '-' || (*at_ >= '0' && *at_ <= '9'));
  if (!digits || error == std::errc::invalid_argument) {
    return Fail(at_ == end_ ? "the JSON ends too early" : "not a JSON value");
  }
  at_ = rest;
  return true;
}

Status JsonReader::Finish() {
  if (ok() && Peek() != '\0') Fail("something follows the JSON value");
  return status_;
}

}  // namespace snug::server
