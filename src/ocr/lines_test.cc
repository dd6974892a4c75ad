#include "ocr/lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/rng.h"
#include "ocr/test_images.h"

namespace snug::ocr {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

Image White(int width, int height) {
  Image image = MakeImage("test", static_cast<uint64_t>(width), static_cast<uint64_t>(height)).value();
  std::memset(image.pixels.get(), 255, static_cast<size_t>(width) * static_cast<size_t>(height) * kChannels);
  return image;
}

void Ink(Image& image, int left, int top, int right, int bottom) {
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x)
      std::memset(image.pixels.get() + ptrdiff_t{y * image.width + x} * kChannels, 0, kChannels);
  }
}

TEST(CutOut, AnUprightBoxIsAPartOfTheImage) {
  const Image image = TestImage(60, 40);
  auto part = CutOut(image, {{{10, 5}, {50, 5}, {50, 15}, {10, 15}}});
  ASSERT_TRUE(part.ok()) << part.status().ToString();
  EXPECT_EQ(part->width, 40);
  EXPECT_EQ(part->height, 10);
  for (int y = 0; y < 10; ++y) EXPECT_EQ(std::memcmp(part->Row(y), image.Row(y + 5) + 30, 120), 0) << y;
}

TEST(CutOut, ATurnedBoxIsMadeUpright) {
  Image image = White(200, 200);
  const double turn = 0.3;
  auto at = [&](double u, double v) {
    return Point{static_cast<float>(50 + u * std::cos(turn) - v * std::sin(turn)),
                 static_cast<float>(50 + u * std::sin(turn) + v * std::cos(turn))};
  };
  for (double u = 60; u < 80; u += 0.2) {  // ink in the last quarter of a box of 80 x 20
    for (double v = 0; v < 20; v += 0.2) {
      const Point p = at(u, v);
      Ink(image, static_cast<int>(p.x), static_cast<int>(p.y), static_cast<int>(p.x) + 1,
          static_cast<int>(p.y) + 1);
    }
  }
  auto part = CutOut(image, {at(0, 0), at(80, 0), at(80, 20), at(0, 20)});
  ASSERT_TRUE(part.ok());
  EXPECT_EQ(part->width, 80);
  EXPECT_EQ(part->height, 20);
  EXPECT_EQ(part->Row(10)[ptrdiff_t{40} * kChannels], 255);
  EXPECT_EQ(part->Row(10)[ptrdiff_t{70} * kChannels], 0);
}

TEST(CutOut, AColumnIsLaidOnItsSide) {
  Image image = White(40, 100);
  Ink(image, 10, 70, 20, 80);  // near the lower end
  auto part = CutOut(image, {{{10, 20}, {20, 20}, {20, 80}, {10, 80}}});
  ASSERT_TRUE(part.ok());
  EXPECT_EQ(part->width, 60);
  EXPECT_EQ(part->height, 10);
  EXPECT_EQ(part->Row(5)[ptrdiff_t{55} * kChannels], 0) << "what was below is at the end";
  EXPECT_EQ(part->Row(5)[ptrdiff_t{5} * kChannels], 255);
}

TEST(CutOut, RefusesCornersThatAreNone) {
  const Image image = White(40, 40);
  for (const float bad : {NAN, std::numeric_limits<float>::infinity(), 1e9F, -41.0F}) {
    auto part = CutOut(image, {{{bad, 0}, {10, 0}, {10, 10}, {0, 10}}});
    ASSERT_FALSE(part.ok()) << bad;
    EXPECT_THAT(part.status().text(), HasSubstr("a box has a corner at"));
  }
}

TEST(CutOut, ABoxOfNothingIsAPixel) {
  auto part = CutOut(White(40, 40), {{{5, 5}, {5, 5}, {5, 5}, {5, 5}}});
  ASSERT_TRUE(part.ok());
  EXPECT_EQ(part->width, 1);
}

TEST(CutOut, TakesAnyQuadNearTheImage) {
  const Image image = White(40, 30);
  Rng rng(9);
  for (int round = 0; round < 500; ++round) {
    Quad quad;
    for (Point& corner : quad) {
      corner = {static_cast<float>(rng.Below(120)) - 40, static_cast<float>(rng.Below(90)) - 30};
    }
    auto part = CutOut(image, quad);
    EXPECT_TRUE(!part.ok() || part->width <= 200);
  }
}

constexpr Target kTarget{48, 320, Layout::kNchw};

TEST(Pieces, AShortLineIsOnePiece) {
  const auto pieces = PiecesOf(White(300, 48), kTarget);
  ASSERT_THAT(pieces, SizeIs(1));
  EXPECT_EQ(pieces[0].begin, 0);
  EXPECT_EQ(pieces[0].end, 300);
}

TEST(Pieces, ALongLineIsCutBetweenWords) {
  Image line = White(700, 48);
  for (int word = 0; word < 6; ++word) Ink(line, 10 + word * 110, 10, 100 + word * 110, 38);
  const auto pieces = PiecesOf(line, kTarget);
  ASSERT_EQ(pieces.size(), 2u);
  for (const Piece& piece : pieces) {
    EXPECT_LE(piece.end - piece.begin, 320);
    for (int word = 0; word < 6; ++word) {
      const int left = 10 + word * 110, right = 100 + word * 110;
      EXPECT_TRUE(piece.end <= left || piece.begin >= right || (piece.begin <= left && piece.end >= right))
          << "a word is cut at " << piece.begin << " or " << piece.end;
    }
  }
}

TEST(Pieces, AWordThatIsTooLongIsCutWhereInkIsLeast) {
  Image line = White(600, 48);
  Ink(line, 0, 10, 600, 38);
  Image thin = White(600, 48);
  std::memcpy(thin.pixels.get(), line.pixels.get(), size_t{600} * 48 * kChannels);
  for (int y = 0; y < 48; ++y) {
    if (y != 20)
      std::memset(thin.pixels.get() + ptrdiff_t{y * 600 + 280} * kChannels, 255, size_t{2} * kChannels);
  }
  const auto pieces = PiecesOf(thin, kTarget);
  ASSERT_GE(pieces.size(), 2u);
  EXPECT_NEAR(pieces[0].end, 280, 8);
  for (const Piece& piece : PiecesOf(line, kTarget)) EXPECT_LE(piece.end - piece.begin, 320);
}

TEST(Pieces, OfAnyImageFitAndGoFromLeftToRight) {
  Rng rng(4);
  for (int round = 0; round < 200; ++round) {
    Image line = White(1 + static_cast<int>(rng.Below(900)), 1 + static_cast<int>(rng.Below(60)));
    for (uint64_t i = rng.Below(20); i > 0; --i) {
      const int x = static_cast<int>(rng.Below(static_cast<uint64_t>(line.width)));
      Ink(line, x, 0, std::min(line.width, x + static_cast<int>(rng.Below(80))), line.height);
    }
    const int limit = std::max(1, 320 * line.height / 48);
    const auto pieces = PiecesOf(line, kTarget);
    ASSERT_FALSE(pieces.empty());
    for (size_t i = 0; i < pieces.size(); ++i) {
      ASSERT_GE(pieces[i].begin, 0);
      ASSERT_LT(pieces[i].begin, pieces[i].end);
      ASSERT_LE(pieces[i].end, line.width);
      ASSERT_LE(pieces[i].end - pieces[i].begin, limit);
      ASSERT_TRUE(i == 0 || pieces[i].begin > pieces[i - 1].begin);
    }
    EXPECT_EQ(CopyColumns(line, pieces[0]).width, pieces[0].end - pieces[0].begin);
  }
}

}  // namespace
}  // namespace snug::ocr
