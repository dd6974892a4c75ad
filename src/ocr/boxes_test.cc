#include "ocr/boxes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "ocr/regions.h"

namespace snug::ocr {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

struct Map {
  int width, height;
  std::vector<float> values;

  Map(int w, int h) : width(w), height(h), values(static_cast<size_t>(w) * static_cast<size_t>(h), 0) {}
  float& At(int x, int y) {
    return values[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)];
  }
  void Set(int x, int y, float value) { At(x, y) = value; }
  void Fill(int left, int top, int right, int bottom, float value) {
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) Set(x, y, value);
    }
  }
  std::vector<TextBox> Boxes(const BoxOptions& options = {}) const {
    return FindBoxes(values, width, height, options);
  }
};

// Regions as sets of pixels by flood fill: the plain way to say what Regions does by runs.
std::vector<std::vector<std::pair<int, int>>> Flooded(Map map, float pixel_min) {
  std::vector<std::vector<std::pair<int, int>>> regions;
  for (int y = 0; y < map.height; ++y) {
    for (int x = 0; x < map.width; ++x) {
      if (map.At(x, y) < pixel_min) continue;
      std::vector<std::pair<int, int>> region, next{{y, x}};
      map.Set(x, y, 0);
      while (!next.empty()) {
        auto [at_y, at_x] = next.back();
        next.pop_back();
        region.emplace_back(at_y, at_x);
        for (int ny = std::max(0, at_y - 1); ny <= std::min(map.height - 1, at_y + 1); ++ny) {
          for (int nx = std::max(0, at_x - 1); nx <= std::min(map.width - 1, at_x + 1); ++nx) {
            if (map.At(nx, ny) < pixel_min) continue;
            map.Set(nx, ny, 0);
            next.emplace_back(ny, nx);
          }
        }
      }
      std::sort(region.begin(), region.end());
      regions.push_back(std::move(region));
    }
  }
  return regions;
}

TEST(Regions, AreThoseOfAFloodFill) {
  Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    Map map(1 + static_cast<int>(rng.Below(20)), 1 + static_cast<int>(rng.Below(20)));
    const uint64_t density = 1 + rng.Below(9);
    for (float& value : map.values) value = rng.Below(10) < density ? 1.0F : 0.0F;
    std::vector<std::vector<std::pair<int, int>>> found;
    for (const auto& region : Regions(map.values, map.width, map.height, 0.5F)) {
      auto& pixels = found.emplace_back();
      for (const ocr::Run& run : region) {
        for (int x = run.begin; x < run.end; ++x) pixels.emplace_back(run.row, x);
      }
    }
    ASSERT_EQ(found, Flooded(map, 0.5F)) << map.width << " x " << map.height;
  }
}

TEST(Boxes, AnUprightRegionIsGrownOnAllSides) {
  Map map(100, 60);
  map.Fill(20, 10, 80, 20, 0.9F);
  const auto boxes = map.Boxes();
  ASSERT_THAT(boxes, SizeIs(1));
  const float by = 60 * 10 * 1.6F / (2 * 70);
  EXPECT_NEAR(boxes[0].score, 0.9, 1e-5);
  EXPECT_NEAR(boxes[0].quad[0].x, 20 - by, 1e-3);
  EXPECT_NEAR(boxes[0].quad[0].y, 10 - by, 1e-3);
  EXPECT_NEAR(boxes[0].quad[2].x, 80 + by, 1e-3);
  EXPECT_NEAR(boxes[0].quad[2].y, 20 + by, 1e-3);
}

TEST(Boxes, WhatIsSmallOrUnsureIsLeftOut) {
  Map map(100, 60);
  map.Fill(10, 10, 40, 12, 1);     // two pixels high
  map.Fill(10, 30, 40, 40, 0.4F);  // over the threshold of pixels, not of boxes
  EXPECT_THAT(map.Boxes(), SizeIs(0));
  map.Fill(50, 30, 90, 40, 1);
  map.Set(55, 35, NAN);
  EXPECT_THAT(map.Boxes(), SizeIs(1));
}

TEST(Boxes, TheLargestAreKeptWhenThereAreTooMany) {
  Map map(100, 100);
  for (int i = 0; i < 5; ++i) map.Fill(0, i * 20, 20 + i * 10, i * 20 + 6, 1);
  BoxOptions options;
  options.boxes_max = 2;
  const auto boxes = map.Boxes(options);
  ASSERT_THAT(boxes, SizeIs(2));
  EXPECT_GT(boxes[0].quad[1].x, 60);
  EXPECT_GT(boxes[1].quad[1].x, 50);
}

TEST(SmallestRectangle, FollowsTurnedText) {
  const double turn = 0.2;
  std::vector<Point> points;
  for (const auto& [u, v] : {std::pair(0.0, 0.0), {100.0, 0.0}, {100.0, 10.0}, {0.0, 10.0}, {50.0, 5.0}}) {
    points.push_back({static_cast<float>(50 + u * std::cos(turn) - v * std::sin(turn)),
                      static_cast<float>(50 + u * std::sin(turn) + v * std::cos(turn))});
  }
  const Quad quad = SmallestRectangle(points);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(quad[i].x, points[i].x, 0.01) << i;
    EXPECT_NEAR(quad[i].y, points[i].y, 0.01) << i;
  }
}

TEST(SmallestRectangle, TakesFewPoints) {
  EXPECT_EQ(SmallestRectangle({{3, 4}})[2].x, 3);
  EXPECT_NEAR(SmallestRectangle({{0, 0}, {10, 10}})[1].x, 10, 1e-3);
}

Quad Upright(float left, float top, float right, float bottom) {
  return {{{left, top}, {right, top}, {right, bottom}, {left, bottom}}};
}

TEST(ReadingOrder, LinesFromTheTopAndFromTheLeft) {
  const Quad quads[] = {Upright(60, 12, 100, 22), Upright(0, 30, 100, 40), Upright(0, 10, 55, 20)};
  EXPECT_THAT(ReadingOrder(quads), ElementsAre(2, 0, 1));
}

TEST(ReadingOrder, ColumnsUnderAHeading) {
  const Quad quads[] = {
      Upright(120, 30, 200, 40), Upright(0, 45, 80, 55),  // the upper line of the right column, …
      Upright(0, 30, 80, 40),    Upright(120, 45, 200, 55), Upright(0, 0, 200, 20),
  };
  EXPECT_THAT(ReadingOrder(quads), ElementsAre(4, 2, 1, 0, 3));
}

TEST(ReadingOrder, OfNothingIsNothing) {
  EXPECT_THAT(ReadingOrder({}), ElementsAre());
}

TEST(ReadingOrder, NamesEachBoxOnceWhereverTheyLie) {
  Rng rng(3);
  for (int round = 0; round < 100; ++round) {
    std::vector<Quad> quads;
    for (uint64_t i = rng.Below(60); i > 0; --i) {
      const auto left = static_cast<float>(rng.Below(500)), top = static_cast<float>(rng.Below(500));
      quads.push_back(Upright(left, top, left + static_cast<float>(rng.Below(200)),
                              top + static_cast<float>(rng.Below(40))));
    }
    auto order = ReadingOrder(quads);
    std::sort(order.begin(), order.end());
    ASSERT_EQ(order.size(), quads.size());
    for (size_t i = 0; i < order.size(); ++i) ASSERT_EQ(order[i], i);
  }
}

}  // namespace
}  // namespace snug::ocr
