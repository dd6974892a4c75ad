#include "ocr/image.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <string_view>

namespace snug::ocr {
namespace {

using namespace std::string_view_literals;

std::string_view AsText(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr std::string_view kPngMagic = "\x89PNG\r\n\x1a\n"sv;
constexpr std::string_view kJpegMagic = "\xff\xd8\xff"sv;

struct Known {
  std::string_view magic;
  std::string_view name;
};

// What people send instead; saying so saves them a look at the bytes.
constexpr std::array<Known, 13> kOthers{
    {{"GIF8", "GIF"},
     {"RIFF", "a RIFF file, as WebP is"},
     {"BM", "BMP"},
     {"II*\0"sv, "TIFF"},
     {"MM\0*"sv, "TIFF"},
     {"%PDF", "PDF"},
     {"{", "JSON"},
     {"iVBORw0KGgo", "a PNG as base64 text: send the bytes themselves"},
     {"/9j/", "a JPEG as base64 text: send the bytes themselves"},
     {"data:image", "a data URL: send the bytes themselves"},
     {"--", "a form: send the file alone, as curl --data-binary does"},
     {"\x89PNG\n", "a PNG that was sent as text: send its bytes, as curl --data-binary does"},
     {"\x89PNG\x1a", "a PNG that was sent as text: send its bytes, as curl --data-binary does"}}};
constexpr std::string_view kBoxMagic = "ftyp";  // the first box of HEIC and AVIF, after its length
constexpr size_t kBoxMagicAt = 4;

std::string FirstBytes(std::span<const uint8_t> file) {
  constexpr size_t kShownMax = 8;
  std::string text;
  for (uint8_t byte : file.first(std::min(file.size(), kShownMax))) text += fmt::format("{:02x} ", byte);
  text.pop_back();
  return text;
}

Status NeitherOfTheTwo(std::span<const uint8_t> file) {
  if (file.empty()) return InvalidArgument("expected a PNG or JPEG image, got an empty payload");
  std::string_view name;
  if (file.size() > kBoxMagicAt && AsText(file.subspan(kBoxMagicAt)).starts_with(kBoxMagic))
    name = "HEIC or AVIF";
  for (const Known& other : kOthers) {
    if (AsText(file).starts_with(other.magic)) name = other.name;
  }
  return InvalidArgument("expected a PNG or JPEG image, got {} bytes beginning with {}{}", file.size(),
                         FirstBytes(file), name.empty() ? "" : fmt::format(" ({})", name));
}

}  // namespace

Status CheckImageSize(const char* kind, uint64_t width, uint64_t height) {
  constexpr auto kSideMax = static_cast<uint64_t>(kImageSideMax);
  if (width < 1 || height < 1 || width > kSideMax || height > kSideMax || width * height > kImagePixelsMax) {
    return InvalidArgument("{}: {} x {} pixels; expected 1 to {} a side and at most {} in all", kind, width,
                           height, kImageSideMax, kImagePixelsMax);
  }
  return {};
}

Result<Image> MakeImage(const char* kind, uint64_t width, uint64_t height) {
  SNUG_RETURN_IF_ERROR(CheckImageSize(kind, width, height));
  Image image{static_cast<int>(width), static_cast<int>(height), nullptr};
  image.pixels.reset(new (std::nothrow) uint8_t[width * height * kChannels]);
  if (image.pixels == nullptr)
    return Error(Code::kResourceExhausted, "no memory for an image of {} x {}", width, height);
  return image;
}

Result<Image> DecodeImage(std::span<const uint8_t> file) {
  if (file.size() > kImageBytesMax) {
    return InvalidArgument("an image file of {} bytes, at most {} are read", file.size(), kImageBytesMax);
  }
  if (AsText(file).starts_with(kPngMagic)) return DecodePng(file);
  if (AsText(file).starts_with(kJpegMagic)) return DecodeJpeg(file);
  return NeitherOfTheTwo(file);
}

}  // namespace snug::ocr
