#include "server/base64.h"

#include <array>
#include <cstdint>

namespace snug::server {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNoDigit = 0xff;

constexpr std::array<uint8_t, 256> MakeValues() {
  std::array<uint8_t, 256> values{};
  for (uint8_t& value : values) value = kNoDigit;
  for (size_t i = 0; i < kDigits.size(); ++i)
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<uint8_t>(i);
  return values;
}
constexpr std::array<uint8_t, 256> kValues = MakeValues();

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = bytes.size() - i;
    uint32_t block = static_cast<unsigned char>(bytes[i]) << 16;
    if (left > 1) block |= static_cast<unsigned char>(bytes[i + 1]) << 8;
    if (left > 2) block |= static_cast<unsigned char>(bytes[i + 2]);
    text += kDigits[block >> 18];
    text += kDigits[(block >> 12) & 63];
    text += left > 1 ? kDigits[(block >> 6) & 63] : '=';
    text += left > 2 ? kDigits[block & 63] : '=';
  }
  return text;
}

bool DecodeBase64(std::string_view text, std::string& bytes) {
  bytes.clear();
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  bytes.reserve(text.size() / 4 * 3 + 3);
  uint32_t block = 0;
  int bits = 0;
  for (char c : text) {
    const uint8_t value = kValues[static_cast<unsigned char>(c)];
    if (value == kNoDigit) return false;
    block = (block << 6 | value) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(block >> bits);
  }
  return bits < 6;
}

}  // namespace snug::server
