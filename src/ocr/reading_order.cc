// Recursive cuts at white space (Nagy's X-Y cut), then lines.
#include <algorithm>
#include <numeric>

#include "ocr/boxes.h"

namespace snug::ocr {
namespace {

// In heights of a line: narrower gaps lie between words, not between columns.
constexpr float kColumnGap = 1.5F;
// Boxes whose centres differ by less than this part of a height stand in one line.
constexpr float kSameLine = 0.5F;

struct Extent {
  float left = 0, top = 0, right = 0, bottom = 0;
  size_t index = 0;
};
using Extents = std::vector<Extent>;

Extent ExtentOf(const Quad& quad, size_t index) {
  auto [left, right] = std::minmax({quad[0].x, quad[1].x, quad[2].x, quad[3].x});
  auto [top, bottom] = std::minmax({quad[0].y, quad[1].y, quad[2].y, quad[3].y});
  return {left, top, right, bottom, index};
}

float MedianHeight(const Extents& boxes) {
  std::vector<float> heights;
  for (const Extent& box : boxes) heights.push_back(box.bottom - box.top);
  std::nth_element(heights.begin(), heights.begin() + static_cast<ptrdiff_t>(heights.size() / 2),
                   heights.end());
  return heights[heights.size() / 2];
}

// Sorts by `low` and returns how many boxes end before the widest gap, 0 when none is wider than `gap_min`.
size_t WidestGap(Extents& boxes, float Extent::*low, float Extent::*high, float gap_min) {
  std::sort(boxes.begin(), boxes.end(), [&](const Extent& a, const Extent& b) { return a.*low < b.*low; });
  size_t cut = 0;
  float end = boxes[0].*high;
  for (size_t i = 1; i < boxes.size(); ++i) {
    if (boxes[i].*low - end > gap_min) {
      gap_min = boxes[i].*low - end;
      cut = i;
    }
    end = std::max(end, boxes[i].*high);
  }
  return cut;
}

void AppendLines(Extents boxes, std::vector<size_t>& order) {
  auto middle = [](const Extent& box) { return (box.top + box.bottom) / 2; };
  std::sort(boxes.begin(), boxes.end(),
            [&](const Extent& a, const Extent& b) { return middle(a) < middle(b); });
  for (size_t begin = 0; begin < boxes.size();) {
    const float height = boxes[begin].bottom - boxes[begin].top;
    size_t end = begin + 1;
    while (end < boxes.size() && middle(boxes[end]) - middle(boxes[begin]) < kSameLine * height) ++end;
    std::sort(boxes.begin() + static_cast<ptrdiff_t>(begin), boxes.begin() + static_cast<ptrdiff_t>(end),
              [](const Extent& a, const Extent& b) { return a.left < b.left; });
    for (; begin < end; ++begin) order.push_back(boxes[begin].index);
  }
}

}  // namespace

std::vector<size_t> ReadingOrder(std::span<const Quad> quads) {
  Extents all;
  for (size_t i = 0; i < quads.size(); ++i) all.push_back(ExtentOf(quads[i], i));
  std::vector<size_t> order;
  std::vector<Extents> blocks{std::move(all)};  // the next one last
  while (!blocks.empty()) {
    Extents block = std::move(blocks.back());
    blocks.pop_back();
    if (block.empty()) continue;
    size_t cut = WidestGap(block, &Extent::left, &Extent::right, kColumnGap * MedianHeight(block));
    if (cut == 0) cut = WidestGap(block, &Extent::top, &Extent::bottom, 0);
    if (cut == 0) {
      AppendLines(std::move(block), order);
      continue;
    }
    const auto middle = block.begin() + static_cast<ptrdiff_t>(cut);
    blocks.emplace_back(middle, block.end());
    blocks.emplace_back(block.begin(), middle);
  }
  return order;
}

}  // namespace snug::ocr
