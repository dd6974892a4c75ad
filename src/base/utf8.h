// Whether bytes are text.
#pragma once

#include <cstddef>
#include <string_view>

namespace snug {

// Length of the well-formed UTF-8 sequence at the front of `text` (RFC 3629: no overlong forms, no surrogates, at most
// U+10FFFF), 0 when there is none.
size_t Utf8SequenceBytes(std::string_view text);
bool IsUtf8(std::string_view text);

}  // namespace snug
