#include "base/utf8.h"

#include <cstring>

namespace snug {
namespace {

// Bytes of the sequence that begins so, 0 when none does.
size_t LengthOfLead(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) return 3;
  return lead < 0xF5 ? 4 : 0;
}

// The second byte's range depends on the first: that is where overlong forms and surrogates are excluded.
bool FitsSecond(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xE0:
      return second >= 0xA0;
    case 0xED:
      return second < 0xA0;
    case 0xF0:
      return second >= 0x90;
    case 0xF4:
      return second < 0x90;
    default:
      return true;
  }
}

}  // namespace

size_t Utf8SequenceBytes(std::string_view text) {
  if (text.empty()) return 0;
  auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t bytes = LengthOfLead(at(0));
  if (bytes == 0 || text.size() < bytes) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  return bytes == 1 || FitsSecond(at(0), at(1)) ? bytes : 0;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = Utf8SequenceBytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string CleanText(const char* text, size_t bytes_max) {
  if (text == nullptr) return "";
  std::string_view rest(text, ::strnlen(text, bytes_max));
  std::string clean;
  clean.reserve(rest.size());
  while (!rest.empty()) {
    const size_t bytes = Utf8SequenceBytes(rest);
    const bool control = bytes == 1 && static_cast<unsigned char>(rest[0]) < 0x20;
    if (bytes > 0 && (!control || rest[0] == '\n' || rest[0] == '\t'))
      clean += rest.substr(0, bytes);
    else
      clean += '?';
    rest.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return clean;
}

}  // namespace snug
