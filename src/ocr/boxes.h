// Where the text is: from a text detector's probability map to boxes in the image, in reading order. Pure.
//
// The post-processing of "Real-time Scene Text Detection with Differentiable Binarization" (Liao et al., AAAI
// 2020): regions of the map over a threshold, the smallest rectangle around each, grown by area * ratio /
// perimeter, because the map was trained on text shrunk by as much.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace snug::ocr {

struct Point {
  float x = 0, y = 0;
};

// A rectangle, turned as the text is: upper left, upper right, lower right, lower left corner of the text.
using Quad = std::array<Point, 4>;

struct TextBox {
  Quad quad;
  float score = 0;  // mean probability of its region
};

struct BoxOptions {
  float pixel_min = 0.3F;   // probability of a pixel that belongs to text
  float box_min = 0.6F;     // mean of a box's region
  float grow_ratio = 1.6F;  // see above
  float side_min = 3;       // pixels of the map, before it is grown
  size_t boxes_max = 1000;  // the largest regions
};

// `map`: height x width probabilities, row by row; numbers that are none count as 0. Boxes are in pixels of
// the map.
std::vector<TextBox> FindBoxes(std::span<const float> map, int width, int height, const BoxOptions& options);

// The smallest rectangle around points (at least one). Its upper side is the one within 45 degrees of the
// horizontal, so a column of text is higher than wide.
Quad SmallestRectangle(std::vector<Point> points);

// Order in which people read them: columns from left to right where a gap divides them from top to bottom,
// else from top to bottom, and along a line from left to right. Returns indices.
std::vector<size_t> ReadingOrder(std::span<const Quad> quads);

}  // namespace snug::ocr
