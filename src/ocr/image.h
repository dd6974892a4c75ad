// Images as parsers see them: decoded from PNG or JPEG bytes that anybody may have sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"

namespace snug::ocr {

inline constexpr int kImageSideMax = 16384;                      // pixels
inline constexpr uint64_t kImagePixelsMax = uint64_t{64} << 20;  // width x height
inline constexpr uint64_t kImageBytesMax = uint64_t{64} << 20;   // of the file
inline constexpr int kJpegScansMax = 32;                         // of a progressive JPEG: each costs a pass
inline constexpr uint64_t kJpegMemoryMax = uint64_t{512} << 20;  // bytes that libjpeg may hold for itself
inline constexpr int kChannels = 3;

// Somebody's pixels: rows from the top, dense, three bytes a pixel: blue, green, red.
struct ImageView {
  int width = 0;
  int height = 0;
  const uint8_t* pixels = nullptr;

  const uint8_t* Row(int y) const {
    return pixels + static_cast<size_t>(y) * static_cast<size_t>(width) * kChannels;
  }
};

struct Image {
  int width = 0;
  int height = 0;
  std::unique_ptr<uint8_t[]> pixels;

  const uint8_t* Row(int y) const { return ImageView(*this).Row(y); }
  operator ImageView() const { return {width, height, pixels.get()}; }  // NOLINT: it is one
};

// PNG or JPEG, told apart by their first bytes. Grey, palette and 16-bit images become 8-bit colour;
// transparent pixels are laid on white; EXIF orientation is not applied. INVALID_ARGUMENT: neither of the
// two, damaged, cut short, or larger than the limits above. Thread-safe.
Result<Image> DecodeImage(std::span<const uint8_t> file);

// The two decoders, for files whose kind is known.
Result<Image> DecodePng(std::span<const uint8_t> file);
Result<Image> DecodeJpeg(std::span<const uint8_t> file);

// INVALID_ARGUMENT beyond the limits; `kind` is "PNG" or "JPEG".
Status CheckImageSize(const char* kind, uint64_t width, uint64_t height);

// An image of that size, its pixels not set. INVALID_ARGUMENT beyond the limits.
Result<Image> MakeImage(const char* kind, uint64_t width, uint64_t height);

}  // namespace snug::ocr
