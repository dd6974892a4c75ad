#include "simulate/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>

namespace snug::simulate {
namespace {

bool IsGzip(std::string_view bytes) {
  return bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

Status TooLarge(size_t bytes_max) {
  return Error(Code::kResourceExhausted, "the trace is larger than {} MiB unpacked; split it",
               bytes_max >> 20);
}

class Inflater {
 public:
  Inflater() { ok_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }
  ~Inflater() {
    if (ok_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  Result<std::string> Run(std::string_view bytes, size_t bytes_max) {
    if (!ok_) return Internal("zlib could not be started");
    std::string out;
    std::array<char, 1 << 16> buffer;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    for (;;) {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = buffer.size();
      int code = inflate(&stream_, Z_NO_FLUSH);
      if (code != Z_OK && code != Z_STREAM_END) return BrokenAt(out.size());
      size_t got = buffer.size() - stream_.avail_out;
      if (got > bytes_max - out.size()) return TooLarge(bytes_max);
      out.append(buffer.data(), got);
      if (code == Z_OK) continue;
      if (stream_.avail_in == 0) return out;
      if (inflateReset(&stream_) != Z_OK) return BrokenAt(out.size());  // another member follows
    }
  }

 private:
  Status BrokenAt(size_t unpacked) const {
    return Error(Code::kDataLoss, "broken gzip after {} unpacked bytes: {}", unpacked,
                 stream_.msg != nullptr ? stream_.msg : "it ends too early");
  }
  z_stream stream_{};
  bool ok_ = false;
};

}  // namespace

Result<std::string> UnpackMaybeGzip(std::string_view bytes, size_t bytes_max) {
  if (bytes.size() > bytes_max) return TooLarge(bytes_max);
  if (!IsGzip(bytes)) return std::string(bytes);
  return Inflater().Run(bytes, bytes_max);
}

Result<std::string> ReadMaybeGzip(const std::string& path, size_t bytes_max) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return ErrnoError(errno == 0 ? ENOENT : errno, path);
  std::string bytes;
  std::array<char, 1 << 16> buffer;
  while (file.read(buffer.data(), buffer.size()) || file.gcount() > 0) {
    bytes.append(buffer.data(), static_cast<size_t>(file.gcount()));
    if (bytes.size() > bytes_max) return TooLarge(bytes_max).Annotate(path);
  }
  if (file.bad()) return ErrnoError(EIO, path);
  auto text = UnpackMaybeGzip(bytes, bytes_max);
  return text.ok() ? text : Result<std::string>(text.status().Annotate(path));
}

}  // namespace snug::simulate
