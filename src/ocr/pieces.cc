#include <algorithm>
#include <cstring>

#include "ocr/lines.h"

namespace snug::ocr {
namespace {

// In heights of the line. Narrower gaps lie between letters.
constexpr float kWordGap = 0.2F;
// What is left of paper beside a piece.
constexpr float kMargin = 0.12F;

int Grey(const uint8_t* pixel) {
  return (pixel[0] + pixel[1] + pixel[2]) / kChannels;
}

// For each column, how many pixels are darker than midway between paper (nine of ten pixels are not lighter)
// and the darkest ink.
std::vector<int> InkOf(const ImageView& line) {
  std::vector<size_t> histogram(256, 0);
  const size_t pixels = static_cast<size_t>(line.width) * static_cast<size_t>(line.height);
  for (size_t i = 0; i < pixels; ++i) ++histogram[static_cast<size_t>(Grey(line.pixels + i * kChannels))];
  int darkest = 0, paper = 0;
  while (histogram[static_cast<size_t>(darkest)] == 0) ++darkest;
  for (size_t seen = 0; paper < 255; ++paper) {
    seen += histogram[static_cast<size_t>(paper)];
    if (seen * 10 >= pixels * 9) break;
  }
  std::vector<int> ink(static_cast<size_t>(line.width), 0);
  for (int y = 0; y < line.height; ++y) {
    const uint8_t* row = line.Row(y);
    for (int x = 0; x < line.width; ++x) {
      if (Grey(row + ptrdiff_t{x} * kChannels) < (darkest + paper) / 2) ++ink[static_cast<size_t>(x)];
    }
  }
  return ink;
}

std::vector<Piece> WordsOf(const std::vector<int>& ink, int gap) {
  std::vector<Piece> words;
  for (int x = 0; x < static_cast<int>(ink.size()); ++x) {
    if (ink[static_cast<size_t>(x)] == 0) continue;
    if (words.empty() || x - words.back().end >= gap) words.push_back({x, x});
    words.back().end = x + 1;
  }
  return words;
}

// Parts of at most `limit` columns, each cut in the last third of what may be, where there is least ink.
std::vector<Piece> CutLong(Piece word, const std::vector<int>& ink, int limit) {
  std::vector<Piece> parts;
  while (word.end - word.begin > limit) {
    const auto from = ink.begin() + word.begin + limit * 2 / 3;
    const auto least = std::min_element(from, ink.begin() + word.begin + limit);
    const int cut = std::max(word.begin + 1, static_cast<int>(least - ink.begin()));
    parts.push_back({word.begin, cut});
    word.begin = cut;
  }
  parts.push_back(word);
  return parts;
}

}  // namespace

std::vector<Piece> PiecesOf(const ImageView& line, const Target& target) {
  const int limit = std::max(1, static_cast<int>(int64_t{target.width} * line.height / target.height));
  if (line.width <= limit) return {{0, line.width}};
  const std::vector<int> ink = InkOf(line);
  const auto height = static_cast<float>(line.height);
  const int margin = std::min(static_cast<int>(kMargin * height), (limit - 1) / 2);
  std::vector<Piece> pieces;
  for (const Piece& word : WordsOf(ink, std::max(1, static_cast<int>(kWordGap * height)))) {
    for (const Piece& part : CutLong(word, ink, limit - 2 * margin)) {
      const bool joins = !pieces.empty() && part.end - pieces.back().begin + 2 * margin <= limit;
      if (joins) {
        pieces.back().end = part.end;
      } else {
        pieces.push_back(part);
      }
    }
  }
  if (pieces.empty()) pieces.push_back({0, std::min(limit, line.width) - 2 * margin});
  for (Piece& piece : pieces) {
    piece = {std::max(0, piece.begin - margin), std::min(line.width, piece.end + margin)};
  }
  return pieces;
}

Image CopyColumns(const ImageView& image, const Piece& piece) {
  const int width = piece.end - piece.begin;
  const size_t row_bytes = static_cast<size_t>(width) * kChannels;
  Image copy{width, image.height, std::make_unique<uint8_t[]>(row_bytes * static_cast<size_t>(image.height))};
  for (int y = 0; y < image.height; ++y) {
    std::memcpy(copy.pixels.get() + static_cast<size_t>(y) * row_bytes,
                image.Row(y) + ptrdiff_t{piece.begin} * kChannels, row_bytes);
  }
  return copy;
}

}  // namespace snug::ocr
