// PNG through libpng's simplified interface, which keeps its longjmp to itself.
#include <png.h>

#include <cstring>

#include "ocr/image.h"

namespace snug::ocr {
namespace {

class Reader {
 public:
  Reader() {
    std::memset(&image_, 0, sizeof image_);
    image_.version = PNG_IMAGE_VERSION;
  }
  ~Reader() { png_image_free(&image_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Status Begin(std::span<const uint8_t> file) {
    SNUG_RETURN_IF_ERROR(CheckHeader(file));
    return png_image_begin_read_from_memory(&image_, file.data(), file.size()) != 0 ? Status() : Failure();
  }

  Result<Image> Read() {
    SNUG_ASSIGN_OR_RETURN(Image image, MakeImage("PNG", image_.width, image_.height));
    const png_color white = {255, 255, 255};
    image_.format = PNG_FORMAT_BGR;
    image_.flags |=
        PNG_IMAGE_FLAG_16BIT_sRGB;  // what 16-bit scans are in practice; libpng would take them as linear
    if (png_image_finish_read(&image_, &white, image.pixels.get(), image.width * kChannels, nullptr) == 0) {
      return Failure();
    }
    return image;
  }

 private:
  // libpng calls an image damaged when a side is beyond limits of its own (1,000,000), and its simplified
  // interface has no way to move them.
  static Status CheckHeader(std::span<const uint8_t> file) {
    constexpr size_t kNameAt = 12, kWidthAt = 16, kHeightAt = 20, kEnd = 24;  // of the first chunk
    if (file.size() < kEnd || std::memcmp(&file[kNameAt], "IHDR", 4) != 0) return {};
    return CheckImageSize("PNG", png_get_uint_32(&file[kWidthAt]), png_get_uint_32(&file[kHeightAt]));
  }

  Status Failure() const {
    return InvalidArgument("the PNG image is damaged or cut short: {}", image_.message);
  }

  png_image image_;
};

}  // namespace

Result<Image> DecodePng(std::span<const uint8_t> file) {
  Reader reader;
  SNUG_RETURN_IF_ERROR(reader.Begin(file));
  return reader.Read();
}

}  // namespace snug::ocr
