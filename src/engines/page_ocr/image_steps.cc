// From a page to pieces of lines.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "engines/page_ocr/step_kinds.h"
#include "engines/page_ocr/steps.h"
#include "ocr/boxes.h"
#include "ocr/image.h"
#include "ocr/lines.h"
#include "ocr/resize.h"

namespace snug::page_ocr {
namespace {

using kit::Failure;
using ocr::ImageView;
using ocr::Quad;

// Sides of what the detector gets are multiples of this.
constexpr int kDetectorStride = 32;
// Pieces of lines on one page.
constexpr size_t kPiecesMax = 4096;
constexpr int64_t kChannels = ocr::kChannels;
constexpr int64_t kCorners = 4;

ImageView ImageOf(const snug_tensor& tensor) {
  const int64_t height = tensor.dims[0], width = tensor.dims[1];
  if (height < 1 || width < 1 || height > ocr::kImageSideMax || width > ocr::kImageSideMax) {
    throw Failure(SNUG_INVALID_ARGUMENT, fmt::format("an image of {} x {} pixels; expected 1 to {} a side",
                                                     width, height, ocr::kImageSideMax));
  }
  return {static_cast<int>(width), static_cast<int>(height), static_cast<const uint8_t*>(tensor.data)};
}

std::span<const float> FloatsOf(const snug_tensor& tensor) {
  return {static_cast<const float*>(tensor.data), tensor.bytes / sizeof(float)};
}

std::vector<Quad> QuadsOf(const snug_tensor& tensor) {
  std::vector<Quad> quads(static_cast<size_t>(tensor.dims[0]));
  static_assert(sizeof(Quad) == kCorners * 2 * sizeof(float));
  if (!quads.empty()) std::memcpy(quads.data(), tensor.data, tensor.bytes);
  return quads;
}

int RoundedSide(double side) {
  return std::max(kDetectorStride, static_cast<int>(std::lround(side / kDetectorStride)) * kDetectorStride);
}

// The page as the detector wants it.
class Scale : public Step {
 public:
  explicit Scale(std::string_view options_json) {
    const kit::Options options(options_json, {"step", "side_min", "side_max", "threads", "instances"});
    side_min_ = static_cast<int>(options.Integer("side_min", 736, kDetectorStride, 4096));
    side_max_ = static_cast<int>(options.Integer("side_max", 960, kDetectorStride, 4096));
    inputs_.Add("image", SNUG_UINT8, {-1, -1, kChannels});
    outputs_.Add("x", SNUG_FP32, {1, kChannels, -1, -1});
  }
  void Execute(const snug_tensor* inputs, const Outputs& outputs) const override {
    const ImageView image = ImageOf(inputs[0]);
    // Small letters are lost on the detector, large pages on the clock: the latter counts more.
    const double up = std::max(1.0, static_cast<double>(side_min_) / std::min(image.width, image.height));
    const double ratio = std::min(up, static_cast<double>(side_max_) / std::max(image.width, image.height));
    const ocr::Target target{RoundedSide(image.height * ratio), RoundedSide(image.width * ratio),
                             ocr::Layout::kNchw};
    if (!outputs.wants(0)) return;
    const std::vector<int64_t> dims{1, kChannels, target.height, target.width};
    const uint64_t bytes = sizeof(float) * static_cast<uint64_t>(kChannels) *
                           static_cast<uint64_t>(target.height) * static_cast<uint64_t>(target.width);
    ocr::StretchNormalize(image, target, static_cast<float*>(outputs.Allocate(0, dims, bytes)));
  }

 private:
  int side_min_ = 0, side_max_ = 0;
};

// Boxes in the page's pixels, in reading order.
class Boxes : public Step {
 public:
  explicit Boxes(std::string_view options_json) {
    const kit::Options checked(options_json, {"step", "threads", "instances"});  // it has none of its own
    inputs_.Add("map", SNUG_FP32, {1, 1, -1, -1});
    inputs_.Add("image", SNUG_UINT8, {-1, -1, kChannels});
    outputs_.Add("box", SNUG_FP32, {-1, kCorners, 2});
  }
  void Execute(const snug_tensor* inputs, const Outputs& outputs) const override {
    const ImageView image = ImageOf(inputs[1]);
    const int64_t height = inputs[0].dims[2], width = inputs[0].dims[3];
    if (height < 1 || width < 1 || height > ocr::kImageSideMax || width > ocr::kImageSideMax)
      throw Failure(SNUG_INVALID_ARGUMENT, fmt::format("a map of {} x {}", width, height));
    const float across = static_cast<float>(image.width) / static_cast<float>(width);
    const float down = static_cast<float>(image.height) / static_cast<float>(height);
    std::vector<Quad> found;
    for (const ocr::TextBox& box :
         ocr::FindBoxes(FloatsOf(inputs[0]), static_cast<int>(width), static_cast<int>(height), {})) {
      found.push_back(box.quad);
      for (ocr::Point& corner : found.back()) {
        corner.x = std::clamp(corner.x * across, 0.0F, static_cast<float>(image.width));
        corner.y = std::clamp(corner.y * down, 0.0F, static_cast<float>(image.height));
      }
    }
    std::vector<Quad> ordered;
    for (const size_t index : ocr::ReadingOrder(found)) ordered.push_back(found[index]);
    outputs.Put(0, {static_cast<int64_t>(ordered.size()), kCorners, 2}, ordered);
  }
};

// Pieces of the lines in the boxes, as the recogniser wants them, and which line each is of.
class Cut : public Step {
 public:
  explicit Cut(std::string_view options_json) {
    const kit::Options options(options_json, {"step", "height", "width", "threads", "instances"});
    target_.height = static_cast<int>(options.Integer("height", 48, 8, 256));
    target_.width = static_cast<int>(options.Integer("width", 320, 8, 4096));
    inputs_.Add("image", SNUG_UINT8, {-1, -1, kChannels});
    inputs_.Add("box", SNUG_FP32, {-1, kCorners, 2});
    outputs_.Add("piece", SNUG_FP32, {-1, kChannels, target_.height, target_.width});
    outputs_.Add("line", SNUG_INT32, {-1});
  }
  void Execute(const snug_tensor* inputs, const Outputs& outputs) const override {
    const ImageView image = ImageOf(inputs[0]);
    std::vector<ocr::Image> pieces;
    std::vector<int32_t> lines;
    const std::vector<Quad> quads = QuadsOf(inputs[1]);
    for (size_t i = 0; i < quads.size(); ++i) {
      const ocr::Image line = ValueOf(ocr::CutOut(image, quads[i]));
      for (const ocr::Piece& piece : ocr::PiecesOf(line, target_)) {
        pieces.push_back(ocr::CopyColumns(line, piece));
        lines.push_back(static_cast<int32_t>(i));
      }
      if (pieces.size() > kPiecesMax)
        throw Failure(SNUG_INVALID_ARGUMENT,
                      fmt::format("more than {} pieces of lines on a page", kPiecesMax));
    }
    outputs.Put(1, {static_cast<int64_t>(lines.size())}, lines);
    if (!outputs.wants(0)) return;
    const auto floats = static_cast<size_t>(kChannels * target_.height * target_.width);
    auto* out = static_cast<float*>(
        outputs.Allocate(0, {static_cast<int64_t>(pieces.size()), kChannels, target_.height, target_.width},
                         pieces.size() * floats * sizeof(float)));
    for (size_t i = 0; i < pieces.size(); ++i) ocr::ResizeNormalize(pieces[i], target_, out + i * floats);
  }

 private:
  ocr::Target target_;
};

}  // namespace

std::unique_ptr<Step> MakeScale(std::string_view options_json) {
  return std::make_unique<Scale>(options_json);
}

std::unique_ptr<Step> MakeBoxes(std::string_view options_json) {
  return std::make_unique<Boxes>(options_json);
}

std::unique_ptr<Step> MakeCut(std::string_view options_json) {
  return std::make_unique<Cut>(options_json);
}

}  // namespace snug::page_ocr
