// The elements of a tensor of BYTES: a 4-byte length and the bytes, one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace snug::ocr {

// Views of `count` elements at `data`, which somebody has checked.
inline std::vector<std::string_view> TextsOf(const void* data, size_t count) {
  std::vector<std::string_view> texts;
  const auto* at = static_cast<const char*>(data);
  for (size_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    std::memcpy(&length, at, sizeof length);
    texts.emplace_back(at + sizeof length, length);
    at += sizeof length + length;
  }
  return texts;
}

}  // namespace snug::ocr
