// From a page and the boxes of its text to images of a recogniser's size. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "base/status.h"
#include "ocr/boxes.h"
#include "ocr/image.h"
#include "ocr/resize.h"

namespace snug::ocr {

// The part of the image inside of the quad, made upright; a column (half as high again as wide) is laid on
// its side. INVALID_ARGUMENT: corners that are no numbers or lie far outside of the image.
Result<Image> CutOut(const ImageView& image, const Quad& quad);

// A part of a line: columns [begin, end).
struct Piece {
  int begin = 0, end = 0;
};

// Cuts a line of text between words into pieces that fit the target without being squeezed; a word that is
// too long by itself is cut where there is least ink. In order, at least one.
std::vector<Piece> PiecesOf(const ImageView& line, const Target& target);

// Those columns of an image.
Image CopyColumns(const ImageView& image, const Piece& piece);

}  // namespace snug::ocr
