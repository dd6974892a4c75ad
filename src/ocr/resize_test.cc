#include "ocr/resize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ocr/test_images.h"

namespace snug::ocr {
namespace {

// The definition, one pixel at a time.
double Expected(const Image& image, const Target& target, int filled, int y, int x, int c) {
  auto place = [](int index, int source, int size) {
    return std::clamp((index + 0.5) * source / size - 0.5, 0.0, source - 1.0);
  };
  const double v = place(y, image.height, target.height);
  const double u = place(x, image.width, filled);
  auto pixel = [&](int row, int column) {
    row = std::min(row, image.height - 1);
    column = std::min(column, image.width - 1);
    return static_cast<double>(image.Row(row)[column * kChannels + c]);
  };
  const int top = static_cast<int>(v);
  const int left = static_cast<int>(u);
  const double down = v - top;
  const double across = u - left;
  const double upper = pixel(top, left) * (1 - across) + pixel(top, left + 1) * across;
  const double lower = pixel(top + 1, left) * (1 - across) + pixel(top + 1, left + 1) * across;
  return ((upper * (1 - down) + lower * down) / 255 - 0.5) / 0.5;
}

size_t At(const Target& target, int y, int x, int c) {
  const int index = target.layout == Layout::kNchw ? (c * target.height + y) * target.width + x
                                                   : (y * target.width + x) * kChannels + c;
  return static_cast<size_t>(index);
}

void CheckAgainstDefinition(const Image& image, const Target& target) {
  const auto count =
      size_t{kChannels} * static_cast<size_t>(target.height) * static_cast<size_t>(target.width);
  std::vector<float> out(count + 1, 99.0F);
  ResizeNormalize(image, target, out.data());
  EXPECT_EQ(out[count], 99.0F);
  const int filled = FilledWidth(image, target);
  double largest = 0;
  for (int y = 0; y < target.height; ++y) {
    for (int x = 0; x < target.width; ++x) {
      for (int c = 0; c < kChannels; ++c) {
        const double expected = x < filled ? Expected(image, target, filled, y, x, c) : 0;
        largest = std::max(largest, std::abs(static_cast<double>(out[At(target, y, x, c)]) - expected));
      }
    }
  }
  EXPECT_LT(largest, 2e-4) << image.width << " x " << image.height;
}

TEST(Resize, IsBilinearInBothLayouts) {
  const std::pair<int, int> sizes[] = {{1, 1},    {2, 1},     {1, 2},   {5, 7},   {145, 28}, {320, 48},
                                       {233, 48}, {1000, 90}, {320, 1}, {1, 300}, {17, 200}, {3000, 33}};
  for (auto [width, height] : sizes) {
    const Image image = TestImage(width, height, static_cast<uint64_t>(width));
    for (Layout layout : {Layout::kNchw, Layout::kNhwc}) {
      CheckAgainstDefinition(image, {48, 320, layout});
      CheckAgainstDefinition(image, {32, 100, layout});
    }
  }
}

TEST(Resize, KeepsTheAspectUpToTheTargetsWidth) {
  auto filled = [](int width, int height) {
    return FilledWidth(TestImage(width, height), {48, 320, Layout::kNchw});
  };
  EXPECT_EQ(filled(48, 48), 48);
  EXPECT_EQ(filled(145, 28), 249);  // 248.57, rounded up
  EXPECT_EQ(filled(320, 48), 320);
  EXPECT_EQ(filled(5000, 48), 320);
  EXPECT_EQ(filled(1, 5000), 1);
}

TEST(Resize, BlackAndWhiteAreTheEndsOfTheRange) {
  Image image = MakeImage("test", 2, 1).value();
  std::fill_n(image.pixels.get(), 3, uint8_t{0});
  std::fill_n(image.pixels.get() + 3, 3, uint8_t{255});
  std::vector<float> out(size_t{2} * 3);
  ResizeNormalize(image, {1, 2, Layout::kNhwc}, out.data());
  for (size_t c = 0; c < 3; ++c) {
    EXPECT_FLOAT_EQ(out[c], -1);
    EXPECT_FLOAT_EQ(out[3 + c], 1);
  }
}

}  // namespace
}  // namespace snug::ocr
