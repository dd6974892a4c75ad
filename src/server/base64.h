// Bytes as text.
#pragma once

#include <string>
#include <string_view>

namespace snug::server {

std::string EncodeBase64(std::string_view bytes);
// Padding may be left out. False when it is no base64.
bool DecodeBase64(std::string_view text, std::string& bytes);

}  // namespace snug::server
