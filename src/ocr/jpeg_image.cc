// JPEG through libjpeg-turbo. libjpeg reports errors by longjmp: the functions that it may leave so (marked
// below) hold nothing with a destructor, and all that needs one is owned by Reader, outside of them.
#include <stdio.h>  // jpeglib.h needs it before

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>

#include <cstring>

#include "ocr/image.h"

namespace snug::ocr {
namespace {

class Reader {
 public:
  Reader();
  ~Reader() { jpeg_destroy_decompress(&info_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Status Begin(std::span<const uint8_t> file);
  Result<Image> Read();

 private:
  static Reader& Of(j_common_ptr info) { return *static_cast<Reader*>(info->client_data); }
  [[noreturn]] static void OnError(j_common_ptr info);
  static void OnMessage(j_common_ptr info, int level);
  static void OnProgress(j_common_ptr info);
  [[noreturn]] void Leave() { longjmp(jump_, 1); }

  // Left by longjmp.
  bool ReadHeader(const uint8_t* data, size_t size);
  bool ReadRows(uint8_t* pixels, size_t row_bytes);

  Status Failure() const;
  Status CheckColours() const;

  jpeg_decompress_struct info_;
  jpeg_error_mgr errors_;
  jpeg_progress_mgr progress_;
  jmp_buf jump_;
  char message_[JMSG_LENGTH_MAX];
};

Reader::Reader() {
  std::memset(&info_, 0, sizeof info_);
  std::memset(&progress_, 0, sizeof progress_);
  message_[0] = '\0';
  info_.err = jpeg_std_error(&errors_);
  info_.client_data = this;  // kept by jpeg_create_decompress, as err is
  errors_.error_exit = OnError;
  errors_.emit_message = OnMessage;
  progress_.progress_monitor = OnProgress;
}

void Reader::OnError(j_common_ptr info) {
  Reader& reader = Of(info);
  info->err->format_message(info, reader.message_);
  reader.Leave();
}

// libjpeg fills damaged parts with grey and only warns. A reading of grey is no answer, so these warnings are
// errors; the others (odd markers that cameras write) are not. level < 0: a warning; else chatter.
void Reader::OnMessage(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_BOGUS_PROGRESSION:
      return;
    default:
      OnError(info);
  }
}

void Reader::OnProgress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kJpegScansMax) return;
  Reader& reader = Of(info);
  ::snprintf(reader.message_, sizeof reader.message_, "more than %d scans", kJpegScansMax);
  reader.Leave();
}

bool Reader::ReadHeader(const uint8_t* data, size_t size) {
  if (setjmp(jump_) != 0) return false;
  jpeg_create_decompress(&info_);
  info_.progress = &progress_;
  info_.mem->max_memory_to_use = static_cast<long>(kJpegMemoryMax);
  jpeg_mem_src(&info_, data, size);
  jpeg_read_header(&info_, TRUE);
  return true;
}

bool Reader::ReadRows(uint8_t* pixels, size_t row_bytes) {
  if (setjmp(jump_) != 0) return false;
  info_.out_color_space = JCS_EXT_BGR;
  jpeg_start_decompress(&info_);
  while (info_.output_scanline < info_.output_height) {
    JSAMPROW row = pixels + info_.output_scanline * row_bytes;
    jpeg_read_scanlines(&info_, &row, 1);
  }
  return true;
}

Status Reader::Failure() const {
  return InvalidArgument("the JPEG image is damaged or cut short: {}", message_);
}

Status Reader::CheckColours() const {
  if (info_.jpeg_color_space != JCS_CMYK && info_.jpeg_color_space != JCS_YCCK) return {};
  return InvalidArgument("the JPEG image is in CMYK (for print): expected grey, RGB or YCbCr");
}

Status Reader::Begin(std::span<const uint8_t> file) {
  if (!ReadHeader(file.data(), file.size())) return Failure();
  return CheckColours();
}

Result<Image> Reader::Read() {
  SNUG_ASSIGN_OR_RETURN(Image image, MakeImage("JPEG", info_.image_width, info_.image_height));
  if (!ReadRows(image.pixels.get(), static_cast<size_t>(image.width) * kChannels)) return Failure();
  return image;
}

}  // namespace

Result<Image> DecodeJpeg(std::span<const uint8_t> file) {
  Reader reader;
  SNUG_RETURN_IF_ERROR(reader.Begin(file));
  return reader.Read();
}

}  // namespace snug::ocr
