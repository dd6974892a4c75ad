// Image files for tests and benchmarks, written by the libraries themselves.
#pragma once

#include <stdio.h>  // jpeglib.h needs it before

#include <jpeglib.h>
#include <png.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/rng.h"
#include "ocr/image.h"

namespace snug::ocr {

using Bytes = std::vector<uint8_t>;

// Smooth noise in blue, green, red: like a scan in that JPEG can compress it.
inline Image TestImage(int width, int height, uint64_t seed = 1) {
  Image image = MakeImage("test", static_cast<uint64_t>(width), static_cast<uint64_t>(height)).value();
  Rng rng(seed);
  const auto period = static_cast<int>(16 + rng.Below(32));
  uint8_t* at = image.pixels.get();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < kChannels; ++c) {
        const int ramp = (x * (c + 1) + y * 2) % (2 * period);
        *at++ = static_cast<uint8_t>(40 + 170 * (ramp < period ? ramp : 2 * period - ramp) / period);
      }
    }
  }
  return image;
}

// `format`: PNG_FORMAT_…; `pixels` in it.
inline Bytes WritePng(int width, int height, uint32_t format, const void* pixels,
                      const void* colormap = nullptr, uint32_t colormap_entries = 0) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<uint32_t>(width);
  image.height = static_cast<uint32_t>(height);
  image.format = format;
  image.colormap_entries = colormap_entries;
  png_alloc_size_t size = 0;
  if (png_image_write_to_memory(&image, nullptr, &size, 0, pixels, 0, colormap) == 0) std::abort();
  Bytes file(size);
  if (png_image_write_to_memory(&image, file.data(), &size, 0, pixels, 0, colormap) == 0) std::abort();
  file.resize(size);
  return file;
}

inline Bytes WritePng(const Image& image) {
  return WritePng(image.width, image.height, PNG_FORMAT_BGR, image.pixels.get());
}

struct JpegStyle {
  int quality = 95;
  bool progressive = false;
  J_COLOR_SPACE colours = JCS_EXT_BGR;  // of the pixels given
  int components = kChannels;
};

inline Bytes WriteJpeg(int width, int height, const uint8_t* pixels, const JpegStyle& style = {}) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = style.components;
  info.in_color_space = style.colours;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, style.quality, TRUE);
  if (style.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row =
        const_cast<JSAMPROW>(pixels) + info.next_scanline * static_cast<size_t>(width * style.components);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  Bytes file(memory, memory + size);
  std::free(memory);
  jpeg_destroy_compress(&info);
  return file;
}

inline Bytes WriteJpeg(const Image& image, const JpegStyle& style = {}) {
  return WriteJpeg(image.width, image.height, image.pixels.get(), style);
}

inline std::string AsString(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace snug::ocr
