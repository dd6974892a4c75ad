#include <algorithm>
#include <array>
#include <cmath>

#include "ocr/lines.h"

namespace snug::ocr {
namespace {

constexpr float kColumnRatio = 1.5F;

// The projection that takes the unit square to a quad (Heckbert, "Fundamentals of Texture Mapping", 1989).
class Projection {
 public:
  explicit Projection(const Quad& q) {
    const double dx1 = q[1].x - q[2].x, dx2 = q[3].x - q[2].x, sx = q[0].x - q[1].x + q[2].x - q[3].x;
    const double dy1 = q[1].y - q[2].y, dy2 = q[3].y - q[2].y, sy = q[0].y - q[1].y + q[2].y - q[3].y;
    const double area = dx1 * dy2 - dx2 * dy1;
    g_ = area == 0 ? 0 : (sx * dy2 - dx2 * sy) / area;
    h_ = area == 0 ? 0 : (dx1 * sy - sx * dy1) / area;
    a_ = q[1].x - q[0].x + g_ * q[1].x;
    b_ = q[3].x - q[0].x + h_ * q[3].x;
    c_ = q[0].x;
    d_ = q[1].y - q[0].y + g_ * q[1].y;
    e_ = q[3].y - q[0].y + h_ * q[3].y;
    f_ = q[0].y;
  }
  Point At(double u, double v) const {
    const double w = g_ * u + h_ * v + 1;
    return {static_cast<float>((a_ * u + b_ * v + c_) / w), static_cast<float>((d_ * u + e_ * v + f_) / w)};
  }

 private:
  double a_, b_, c_, d_, e_, f_, g_, h_;
};

float Distance(const Point& a, const Point& b) {
  return std::hypot(a.x - b.x, a.y - b.y);
}

// Bilinear; beyond the edges lies what is at the edge. A place that is no number is the first pixel.
void Sample(const ImageView& image, const Point& at, uint8_t* out) {
  const float x =
      std::clamp(std::isfinite(at.x) ? at.x - 0.5F : 0, 0.0F, static_cast<float>(image.width - 1));
  const float y =
      std::clamp(std::isfinite(at.y) ? at.y - 0.5F : 0, 0.0F, static_cast<float>(image.height - 1));
  const int left = static_cast<int>(x), top = static_cast<int>(y);
  const int right = std::min(left + 1, image.width - 1), bottom = std::min(top + 1, image.height - 1);
  const float wx = x - static_cast<float>(left), wy = y - static_cast<float>(top);
  const uint8_t* above = image.Row(top);
  const uint8_t* below = image.Row(bottom);
  for (int c = 0; c < kChannels; ++c) {
    const auto at_x = [&](const uint8_t* row, int column) {
      return static_cast<float>(row[column * kChannels + c]);
    };
    const float upper = at_x(above, left) + (at_x(above, right) - at_x(above, left)) * wx;
    const float lower = at_x(below, left) + (at_x(below, right) - at_x(below, left)) * wx;
    // NOLINTNEXTLINE(bugprone-incorrect-roundings): never negative, and lround is a call
    out[c] = static_cast<uint8_t>(upper + (lower - upper) * wy + 0.5F);
  }
}

Status CheckCorners(const ImageView& image, const Quad& quad) {
  const auto lies_near = [](float at, int side) {
    return at >= -static_cast<float>(side) && at <= 2 * static_cast<float>(side);  // false for NaN
  };
  for (const Point& corner : quad) {
    if (lies_near(corner.x, image.width) && lies_near(corner.y, image.height)) continue;
    return InvalidArgument("a box has a corner at ({}, {}), the image has {} x {} pixels", corner.x, corner.y,
                           image.width, image.height);
  }
  return {};
}

}  // namespace

Result<Image> CutOut(const ImageView& image, const Quad& quad) {
  SNUG_RETURN_IF_ERROR(CheckCorners(image, quad));
  Quad corners = quad;
  float width = std::max(Distance(quad[0], quad[1]), Distance(quad[3], quad[2]));
  float height = std::max(Distance(quad[0], quad[3]), Distance(quad[1], quad[2]));
  if (height >= kColumnRatio * width) {
    corners = {quad[1], quad[2], quad[3], quad[0]};
    std::swap(width, height);
  }
  const auto pixels = [](float side) { return static_cast<uint64_t>(std::max(1L, std::lround(side))); };
  SNUG_ASSIGN_OR_RETURN(Image part, MakeImage("a box", pixels(width), pixels(height)));
  const Projection projection(corners);
  uint8_t* out = part.pixels.get();
  for (int y = 0; y < part.height; ++y) {
    for (int x = 0; x < part.width; ++x, out += kChannels) {
      Sample(image, projection.At((x + 0.5) / part.width, (y + 0.5) / part.height), out);
    }
  }
  return part;
}

}  // namespace snug::ocr
