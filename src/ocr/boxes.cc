#include "ocr/boxes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ocr/regions.h"

namespace snug::ocr {
namespace {

float Cross(const Point& o, const Point& a, const Point& b) {
  return (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x);
}

// Andrew's monotone chain: the convex hull, each corner once.
std::vector<Point> Hull(std::vector<Point> points) {
  std::sort(points.begin(), points.end(),
            [](const Point& a, const Point& b) { return a.x != b.x ? a.x < b.x : a.y < b.y; });
  if (points.size() < 3) return points;
  std::vector<Point> hull;
  for (int side = 0; side < 2; ++side) {
    const size_t start = hull.size();
    for (const Point& point : points) {
      while (hull.size() >= start + 2 && Cross(hull[hull.size() - 2], hull.back(), point) <= 0)
        hull.pop_back();
      hull.push_back(point);
    }
    hull.pop_back();
    std::reverse(points.begin(), points.end());
  }
  return hull;
}

// A rectangle along the direction (ux, uy) around the points.
struct Around {
  float ux = 1, uy = 0;
  float u_min = 0, u_max = 0, v_min = 0, v_max = 0;

  float width() const { return u_max - u_min; }
  float height() const { return v_max - v_min; }
  Point At(float u, float v) const { return {u * ux - v * uy, u * uy + v * ux}; }
  Quad Corners() const { return {At(u_min, v_min), At(u_max, v_min), At(u_max, v_max), At(u_min, v_max)}; }
};

Around Along(const std::vector<Point>& points, float ux, float uy) {
  constexpr float kFar = std::numeric_limits<float>::max();
  Around around{ux, uy, kFar, -kFar, kFar, -kFar};
  for (const Point& p : points) {
    const float u = p.x * ux + p.y * uy, v = p.y * ux - p.x * uy;
    around.u_min = std::min(around.u_min, u);
    around.u_max = std::max(around.u_max, u);
    around.v_min = std::min(around.v_min, v);
    around.v_max = std::max(around.v_max, v);
  }
  return around;
}

// One side of the smallest rectangle lies along a side of the hull. The direction is turned by quarters until
// the text runs within 45 degrees of the horizontal.
Around Smallest(std::vector<Point> points) {
  const std::vector<Point> hull = Hull(std::move(points));
  Around best = Along(hull, 1, 0);
  for (size_t i = 0; i < hull.size(); ++i) {
    const Point& a = hull[i];
    const Point& b = hull[(i + 1) % hull.size()];
    float ux = b.x - a.x, uy = b.y - a.y;
    const float length = std::hypot(ux, uy);
    if (length == 0) continue;
    ux /= length;
    uy /= length;
    while (ux < std::abs(uy)) {
      const float turned = ux;
      ux = -uy;
      uy = turned;
    }
    const Around around = Along(hull, ux, uy);
    if (around.width() * around.height() < best.width() * best.height() * 0.999F) best = around;
  }
  return best;
}

// The ends of its runs: what lies between them does not change the hull.
std::vector<Point> CornersOf(const std::vector<Run>& region) {
  std::vector<Point> points;
  for (const Run& run : region) {
    for (const int x : {run.begin, run.end}) {
      for (const int y : {run.row, run.row + 1})
        points.push_back({static_cast<float>(x), static_cast<float>(y)});
    }
  }
  return points;
}

// Of its own pixels: a curved line fills its rectangle badly.
float MeanOf(const std::vector<Run>& region, std::span<const float> map, int width) {
  double sum = 0;
  size_t count = 0;
  for (const Run& run : region) {
    const float* row = map.data() + static_cast<size_t>(run.row) * static_cast<size_t>(width);
    for (int x = run.begin; x < run.end; ++x) sum += row[x];
    count += static_cast<size_t>(run.end - run.begin);
  }
  return static_cast<float>(sum / static_cast<double>(count));
}

size_t PixelsOf(const std::vector<Run>& region) {
  size_t pixels = 0;
  for (const Run& run : region) pixels += static_cast<size_t>(run.end - run.begin);
  return pixels;
}

}  // namespace

Quad SmallestRectangle(std::vector<Point> points) {
  return Smallest(std::move(points)).Corners();
}

std::vector<TextBox> FindBoxes(std::span<const float> map, int width, int height, const BoxOptions& options) {
  auto regions = Regions(map, width, height, options.pixel_min);
  if (regions.size() > options.boxes_max) {
    std::stable_sort(regions.begin(), regions.end(),
                     [](const auto& a, const auto& b) { return PixelsOf(a) > PixelsOf(b); });
    regions.resize(options.boxes_max);
  }
  std::vector<TextBox> boxes;
  for (const auto& region : regions) {
    Around box = Smallest(CornersOf(region));
    if (std::min(box.width(), box.height()) < options.side_min) continue;
    const float score = MeanOf(region, map, width);
    if (score < options.box_min) continue;
    const float by = box.width() * box.height() * options.grow_ratio / (2 * (box.width() + box.height()));
    box.u_min -= by;
    box.u_max += by;
    box.v_min -= by;
    box.v_max += by;
    boxes.push_back({box.Corners(), score});
  }
  return boxes;
}

}  // namespace snug::ocr
