// Connected regions of a map. Pure.
#pragma once

#include <span>
#include <vector>

namespace snug::ocr {

// A stretch of a row: columns [begin, end).
struct Run {
  int row = 0, begin = 0, end = 0;
};

// The regions of pixels that are at least `pixel_min`, as runs from top to bottom; pixels that touch at a
// corner belong together. In the order of their first runs.
std::vector<std::vector<Run>> Regions(std::span<const float> map, int width, int height, float pixel_min);

}  // namespace snug::ocr
