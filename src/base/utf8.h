// Whether bytes are text, and how to make text of bytes that may be anything.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace snug {

// Length of the well-formed UTF-8 sequence at the front of `text` (RFC 3629: no overlong forms, no
// surrogates, at most U+10FFFF), 0 when there is none.
size_t Utf8SequenceBytes(std::string_view text);
bool IsUtf8(std::string_view text);

// What foreign code calls a text: at most bytes_max bytes up to the first NUL; bytes that are not UTF-8 and
// control characters other than newline and tab become '?'. Null is "".
std::string CleanText(const char* text, size_t bytes_max);

}  // namespace snug
