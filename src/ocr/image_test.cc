#include "ocr/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <string_view>

#include "ocr/test_images.h"

namespace snug::ocr {
namespace {

using testing::HasSubstr;

bool SamePixels(const Image& a, const Image& b) {
  return a.width == b.width && a.height == b.height &&
         std::memcmp(a.pixels.get(), b.pixels.get(),
                     static_cast<size_t>(a.width) * static_cast<size_t>(a.height) * kChannels) == 0;
}

int LargestDifference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height) return 256;
  int largest = 0;
  for (int i = 0; i < a.width * a.height * kChannels; ++i) {
    largest =
        std::max(largest, std::abs(a.pixels[static_cast<size_t>(i)] - b.pixels[static_cast<size_t>(i)]));
  }
  return largest;
}

std::string ErrorOf(const Bytes& file) {
  auto image = DecodeImage(file);
  if (image.ok()) return "decoded";
  EXPECT_EQ(image.status().code(), Code::kInvalidArgument);
  return image.status().text();
}
std::string ErrorOf(std::string_view file) {
  return ErrorOf(Bytes(file.begin(), file.end()));
}

void Put32(Bytes& file, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) file[at + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

// A PNG whose header claims another size; its checksum is right.
Bytes PngClaiming(uint32_t width, uint32_t height) {
  Bytes file = WritePng(TestImage(4, 4));
  Put32(file, 16, width);
  Put32(file, 20, height);
  Put32(file, 29, static_cast<uint32_t>(crc32(0, file.data() + 12, 17)));
  return file;
}

Bytes JpegClaiming(uint32_t width, uint32_t height, bool progressive) {
  Bytes file = WriteJpeg(TestImage(16, 16), {.progressive = progressive});
  const uint8_t marker[] = {0xff, static_cast<uint8_t>(progressive ? 0xc2 : 0xc0)};
  auto sof = std::search(file.begin(), file.end(), std::begin(marker), std::end(marker));
  for (auto [offset, value] : {std::pair{5, height}, std::pair{7, width}}) {
    sof[offset] = static_cast<uint8_t>(value >> 8);
    sof[offset + 1] = static_cast<uint8_t>(value);
  }
  return file;
}

TEST(Png, RoundTrip) {
  for (auto [width, height] : {std::pair{1, 1}, {3, 2}, {145, 28}, {640, 48}}) {
    const Image image = TestImage(width, height);
    auto decoded = DecodeImage(WritePng(image));
    ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
    EXPECT_TRUE(SamePixels(*decoded, image));
  }
}

TEST(Png, OtherFormatsBecomeColour) {
  const uint8_t grey[] = {0, 100, 200, 255};
  auto from_grey = DecodeImage(WritePng(4, 1, PNG_FORMAT_GRAY, grey));
  ASSERT_TRUE(from_grey.ok()) << from_grey.status().ToString();
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(from_grey->pixels[i], grey[i / 3]);

  const uint8_t rgba[] = {10, 20, 30, 255, 10, 20, 30, 0};
  auto from_rgba = DecodeImage(WritePng(2, 1, PNG_FORMAT_RGBA, rgba));
  ASSERT_TRUE(from_rgba.ok());
  const uint8_t on_white[] = {30, 20, 10, 255, 255, 255};
  EXPECT_TRUE(std::equal(on_white, on_white + 6, from_rgba->pixels.get()));

  const uint8_t palette[] = {1, 2, 3, 250, 251, 252};
  const uint8_t indices[] = {1, 0};
  auto from_palette = DecodeImage(WritePng(2, 1, PNG_FORMAT_RGB_COLORMAP, indices, palette, 2));
  ASSERT_TRUE(from_palette.ok());
  const uint8_t looked_up[] = {252, 251, 250, 3, 2, 1};
  EXPECT_TRUE(std::equal(looked_up, looked_up + 6, from_palette->pixels.get()));

  const uint16_t wide[] = {0, 65535};
  auto from_wide = DecodeImage(WritePng(2, 1, PNG_FORMAT_LINEAR_Y, wide));
  ASSERT_TRUE(from_wide.ok());
  EXPECT_EQ(from_wide->pixels[0], 0);
  EXPECT_EQ(from_wide->pixels[3], 255);
}

TEST(Jpeg, RoundTrip) {
  for (bool progressive : {false, true}) {
    const Image image = TestImage(145, 28);
    auto decoded = DecodeImage(WriteJpeg(image, {.quality = 100, .progressive = progressive}));
    ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
    EXPECT_LT(LargestDifference(*decoded, image), 60);  // colour has half the resolution
  }
}

TEST(Jpeg, GreyBecomesColourAndCmykIsRefused) {
  const Bytes grey(64, 77);
  auto decoded = DecodeImage(WriteJpeg(8, 8, grey.data(), {.colours = JCS_GRAYSCALE, .components = 1}));
  ASSERT_TRUE(decoded.ok());
  for (int c = 0; c < kChannels; ++c) EXPECT_NEAR(decoded->pixels[static_cast<size_t>(c)], 77, 1);

  const Bytes cmyk(size_t{8} * 8 * 4, 99);
  EXPECT_THAT(ErrorOf(WriteJpeg(8, 8, cmyk.data(), {.colours = JCS_CMYK, .components = 4})),
              HasSubstr("CMYK"));
}

TEST(Images, OtherPayloadsAreNamed) {
  EXPECT_EQ(ErrorOf(""), "expected a PNG or JPEG image, got an empty payload");
  EXPECT_EQ(ErrorOf("GIF89a..........."),
            "expected a PNG or JPEG image, got 17 bytes beginning with 47 49 46 38 39 61 2e 2e (GIF)");
  EXPECT_THAT(ErrorOf("{\"image\": 1}"), HasSubstr("(JSON)"));
  EXPECT_THAT(ErrorOf("iVBORw0KGgoAAAANSUhEUgAA"),
              HasSubstr("a PNG as base64 text: send the bytes themselves"));
  EXPECT_THAT(ErrorOf("--b\r\nContent-Disposition: form-data"), HasSubstr("(a form: send the file alone"));
  EXPECT_THAT(ErrorOf("\x89PNG\x1a..."), HasSubstr("sent as text"));  // curl -d strips line ends
  EXPECT_THAT(ErrorOf("....ftypheic"), HasSubstr("(HEIC or AVIF)"));
  EXPECT_EQ(ErrorOf("hi"), "expected a PNG or JPEG image, got 2 bytes beginning with 68 69");
  EXPECT_THAT(ErrorOf("\x89PNG"), HasSubstr("got 4 bytes beginning with 89 50 4e 47"));
}

TEST(Images, BombsAreRefusedByTheirHeader) {
  EXPECT_THAT(ErrorOf(PngClaiming(16385, 1)), HasSubstr("PNG: 16385 x 1 pixels; expected 1 to 16384 a side"));
  EXPECT_THAT(ErrorOf(PngClaiming(1, 16385)), HasSubstr("16385 pixels"));
  EXPECT_THAT(ErrorOf(PngClaiming(16384, 4097)), HasSubstr("at most 67108864 in all"));
  EXPECT_THAT(ErrorOf(PngClaiming(0x7fffffff, 0x7fffffff)), HasSubstr("PNG: 2147483647 x 2147483647 pixels"));
  EXPECT_THAT(ErrorOf(PngClaiming(0xffffffff, 1)), HasSubstr("PNG: 4294967295 x 1 pixels"));
  EXPECT_THAT(ErrorOf(PngClaiming(0, 5)), HasSubstr("PNG: 0 x 5 pixels; expected 1 to"));
  for (bool progressive : {false, true}) {
    EXPECT_THAT(ErrorOf(JpegClaiming(16385, 10, progressive)), HasSubstr("JPEG: 16385 x 10 pixels"));
    EXPECT_THAT(ErrorOf(JpegClaiming(16384, 16384, progressive)), HasSubstr("at most 67108864 in all"));
    EXPECT_THAT(ErrorOf(JpegClaiming(8000, 100, progressive)), HasSubstr("damaged or cut short"));
    EXPECT_THAT(ErrorOf(JpegClaiming(0, 0, progressive)), Not(HasSubstr("decoded")));
  }
  EXPECT_THAT(ErrorOf(Bytes(kImageBytesMax + 1)), HasSubstr("at most 67108864 are read"));
}

// What is cut is refused; where only the end mark is missing, the picture is whole.
void CutEverywhere(const Bytes& file) {
  const Image whole = DecodeImage(file).value();
  size_t decoded = 0;
  for (size_t length = 0; length < file.size(); ++length) {
    auto image = DecodeImage(std::span(file).first(length));
    if (!image.ok()) {
      EXPECT_EQ(image.status().code(), Code::kInvalidArgument);
      continue;
    }
    ++decoded;
    EXPECT_TRUE(SamePixels(*image, whole)) << length;
  }
  EXPECT_LE(decoded, 32u);
}

TEST(Images, CutAtEveryLength) {
  CutEverywhere(WritePng(TestImage(40, 30)));
  CutEverywhere(WriteJpeg(TestImage(40, 30)));
  CutEverywhere(WriteJpeg(TestImage(40, 30), {.progressive = true}));
}

TEST(Images, DamageIsNamedAndNeverACrash) {
  Bytes png = WritePng(TestImage(40, 30));
  png[60] ^= 0xff;
  EXPECT_THAT(ErrorOf(png), HasSubstr("the PNG image is damaged or cut short: "));
  const Bytes jpeg = WriteJpeg(TestImage(40, 30));
  for (size_t at = 3; at < jpeg.size(); ++at) {
    Bytes damaged = jpeg;
    damaged[at] ^= 0x55;
    (void)DecodeImage(damaged);
  }
}

}  // namespace
}  // namespace snug::ocr
