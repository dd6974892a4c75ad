// From an image to the numbers that a PP-OCR recogniser wants. Pure.
#pragma once

#include "ocr/image.h"

namespace snug::ocr {

enum class Layout { kNchw, kNhwc };

// The model's input, one image of it.
struct Target {
  int height = 48;
  int width = 320;
  Layout layout = Layout::kNchw;
};

inline constexpr int kTargetSideMax = 8192;

// Columns that the image fills at the target's height with its aspect kept: min(width, ceil(height * w / h)).
int FilledWidth(const ImageView& image, const Target& target);

// Writes the target's 3 * height * width floats: the image scaled to height x FilledWidth, (x / 255 - 0.5) /
// 0.5, in blue, green, red; zeros to the right of it. Bilinear with half-pixel centres, edge pixels repeated,
// no smoothing before. Allocates one row of the image as floats and the columns' weights.
void ResizeNormalize(const ImageView& image, const Target& target, float* out);
// The same with the image scaled to height x width, whatever its aspect.
void StretchNormalize(const ImageView& image, const Target& target, float* out);

}  // namespace snug::ocr
