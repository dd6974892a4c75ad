// Each row of the result is made in two steps: the two rows of the image that it lies between are mixed into
// one row of floats, and that is sampled across. Both loops do a pixel's three channels in one 4-lane
// operation, so the row has one pixel more than the image at its end, which also is the right neighbour of
// the last.
#include "ocr/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace snug::ocr {
namespace {

using Float4 = float __attribute__((vector_size(16)));

// (x / 255 - 0.5) / 0.5 = x * kScale - 1
constexpr float kScale = 2.0F / 255.0F;

// A place between two neighbours.
struct Tap {
  int low;
  float weight;  // of the one after low
};

Tap TapOf(int index, int source, int target) {
  const float ratio = static_cast<float>(source) / static_cast<float>(target);
  const float centre = (static_cast<float>(index) + 0.5F) * ratio - 0.5F;
  const float clipped = std::clamp(centre, 0.0F, static_cast<float>(source - 1));
  const int low = static_cast<int>(clipped);
  return {low, clipped - static_cast<float>(low)};
}

std::vector<Tap> TapsAcross(int source, int target) {
  std::vector<Tap> taps(static_cast<size_t>(target));
  for (int x = 0; x < target; ++x) taps[static_cast<size_t>(x)] = TapOf(x, source, target);
  return taps;
}

// Mixes two rows of bytes, already scaled to the result's range.
void MixRows(const uint8_t* top, const uint8_t* bottom, float weight, size_t count, float* row) {
  const float below = weight * kScale;
  const float above = kScale - below;
  for (size_t i = 0; i < count; ++i) {
    row[i] = static_cast<float>(top[i]) * above + (static_cast<float>(bottom[i]) * below - 1.0F);
  }
}

// Repeats the last pixel, so that each has a right neighbour, and one float more, so that four can be loaded
// at each.
void PadRow(float* row, size_t count) {
  std::memcpy(row + count, row + count - kChannels, kChannels * sizeof(float));
  row[count + kChannels] = 0;
}

Float4 Load(const float* from) {
  Float4 value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

Float4 Sample(const float* row, const Tap& tap) {
  const float* at = row + static_cast<ptrdiff_t>(tap.low) * kChannels;
  const Float4 left = Load(at);
  return left + (Load(at + kChannels) - left) * tap.weight;
}

void SampleInterleaved(const float* row, const std::vector<Tap>& taps, float* out) {
  for (const Tap& tap : taps) {
    const Float4 pixel = Sample(row, tap);
    std::memcpy(out, &pixel, kChannels * sizeof(float));
    out += kChannels;
  }
}

void SamplePlanes(const float* row, const std::vector<Tap>& taps, float* blue, float* green, float* red) {
  for (size_t x = 0; x < taps.size(); ++x) {
    const Float4 pixel = Sample(row, taps[x]);
    blue[x] = pixel[0];
    green[x] = pixel[1];
    red[x] = pixel[2];
  }
}

void WriteInterleaved(const float* row, const std::vector<Tap>& taps, const Target& target, int y,
                      float* out) {
  const size_t stride = static_cast<size_t>(target.width) * kChannels;
  float* line = out + static_cast<size_t>(y) * stride;
  SampleInterleaved(row, taps, line);
  std::fill(line + taps.size() * kChannels, line + stride, 0.0F);
}

void WritePlanes(const float* row, const std::vector<Tap>& taps, const Target& target, int y, float* out) {
  const auto width = static_cast<size_t>(target.width);
  const size_t plane = width * static_cast<size_t>(target.height);
  float* line = out + static_cast<size_t>(y) * width;
  SamplePlanes(row, taps, line, line + plane, line + 2 * plane);
  for (size_t c = 0; c < kChannels; ++c) {
    std::fill(line + c * plane + taps.size(), line + c * plane + width, 0.0F);
  }
}

// To height x filled; zeros to the right of it.
void Resize(const ImageView& image, const Target& target, int filled, float* out) {
  const std::vector<Tap> taps = TapsAcross(image.width, filled);
  const size_t count = static_cast<size_t>(image.width) * kChannels;
  std::vector<float> row(count + kChannels + 1);
  for (int y = 0; y < target.height; ++y) {
    const Tap down = TapOf(y, image.height, target.height);
    const int below = std::min(down.low + 1, image.height - 1);
    MixRows(image.Row(down.low), image.Row(below), down.weight, count, row.data());
    PadRow(row.data(), count);
    if (target.layout == Layout::kNchw)
      WritePlanes(row.data(), taps, target, y, out);
    else
      WriteInterleaved(row.data(), taps, target, y, out);
  }
}

}  // namespace

int FilledWidth(const ImageView& image, const Target& target) {
  const int64_t needed = (int64_t{target.height} * image.width + image.height - 1) / image.height;
  return static_cast<int>(std::min<int64_t>(target.width, needed));
}

void ResizeNormalize(const ImageView& image, const Target& target, float* out) {
  Resize(image, target, FilledWidth(image, target), out);
}

void StretchNormalize(const ImageView& image, const Target& target, float* out) {
  Resize(image, target, target.width, out);
}

}  // namespace snug::ocr
