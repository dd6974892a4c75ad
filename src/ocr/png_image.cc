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
