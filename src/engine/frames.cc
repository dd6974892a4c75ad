#include "engine/frames.h"

#include <algorithm>
#include <cstring>

namespace snug::engine {
namespace {

constexpr uint32_t kMagic = 0x53'4e'55'47;
constexpr uint32_t kNewInput = 1;
constexpr uint32_t kNewOutput = 2;

struct WireHeader {
  uint32_t magic;
  uint32_t kind;
  uint32_t flags;
  uint32_t slot;
  uint32_t tensor_count;
  uint32_t wanted_count;
  int32_t code;
  uint32_t text_bytes;
  uint64_t bytes;
};
struct WireTensor {
  uint32_t present;
  int32_t dtype;
  uint64_t offset;
  uint64_t bytes;
  uint32_t rank;
  uint32_t reserved;
  int64_t dims[SNUG_MAX_RANK];
};
static_assert(sizeof(WireHeader) + SNUG_MAX_TENSORS * (sizeof(WireTensor) + 1) + SNUG_ERROR_TEXT_BYTES <=
              kFrameBytesMax);

WireTensor ToWire(const FrameTensor& tensor) {
  WireTensor wire{};
  wire.present = tensor.present;
  wire.dtype = static_cast<int32_t>(tensor.dtype);
  wire.offset = tensor.offset;
  wire.bytes = tensor.bytes;
  wire.rank = static_cast<uint32_t>(tensor.shape.size());
  std::copy(tensor.shape.begin(), tensor.shape.end(), wire.dims);
  return wire;
}

Result<FrameTensor> FromWire(const WireTensor& wire) {
  if (wire.present > 1 || wire.rank > SNUG_MAX_RANK || !IsValidDType(wire.dtype))
    return Internal("frame: bad tensor");
  Shape shape(wire.dims, wire.dims + wire.rank);
  if (std::any_of(shape.begin(), shape.end(), [](int64_t dim) { return dim < 0; }))
    return Internal("frame: bad shape");
  return FrameTensor{wire.present, static_cast<DType>(wire.dtype), std::move(shape), wire.offset, wire.bytes};
}

Status CheckHeader(const WireHeader& header, size_t bytes) {
  if (header.magic != kMagic) return Internal("frame: not one of ours");
  if (header.kind < 1 || header.kind > 5) return Internal("frame: unknown kind {}", header.kind);
  if (header.flags > (kNewInput | kNewOutput)) return Internal("frame: unknown flags {}", header.flags);
  if (header.slot >= kOutputSlotsMax) return Internal("frame: slot {} of {}", header.slot, kOutputSlotsMax);
  if (header.tensor_count > SNUG_MAX_TENSORS || header.wanted_count > SNUG_MAX_TENSORS ||
      header.text_bytes > SNUG_ERROR_TEXT_BYTES) {
    return Internal("frame: counts over the limits");
  }
  size_t expected =
      sizeof header + header.tensor_count * sizeof(WireTensor) + header.wanted_count + header.text_bytes;
  if (bytes != expected) return Internal("frame: expected {} bytes, got {}", expected, bytes);
  bool is_error = header.kind == static_cast<uint32_t>(FrameKind::kError);
  bool bad_code = header.code < (is_error ? 1 : 0) || header.code > (is_error ? 16 : 0);
  if (bad_code || (!is_error && header.text_bytes > 0)) return Internal("frame: code {}", header.code);
  return {};
}

class Writer {
 public:
  explicit Writer(std::span<std::byte> buffer) : buffer_(buffer) {}
  void Put(const void* data, size_t bytes) {
    if (bytes > 0) std::memcpy(buffer_.data() + at_, data, bytes);
    at_ += bytes;
  }
  size_t written() const { return at_; }

 private:
  std::span<std::byte> buffer_;
  size_t at_ = 0;
};

}  // namespace

std::span<const std::byte> EncodeFrame(const Frame& frame, std::span<std::byte> buffer) {
  const std::string& text = frame.error.text();
  WireHeader header{};
  header.magic = kMagic;
  header.kind = static_cast<uint32_t>(frame.kind);
  header.flags = (frame.new_input_region ? kNewInput : 0) | (frame.new_output_region ? kNewOutput : 0);
  header.slot = frame.slot;
  header.tensor_count = static_cast<uint32_t>(frame.tensors.size());
  header.wanted_count = static_cast<uint32_t>(frame.wanted.size());
  header.code = static_cast<int32_t>(frame.error.code());
  header.text_bytes = static_cast<uint32_t>(std::min<size_t>(text.size(), SNUG_ERROR_TEXT_BYTES));
  header.bytes = frame.bytes;
  Writer writer(buffer);
  writer.Put(&header, sizeof header);
  for (const FrameTensor& tensor : frame.tensors) {
    WireTensor wire = ToWire(tensor);
    writer.Put(&wire, sizeof wire);
  }
  writer.Put(frame.wanted.data(), frame.wanted.size());
  writer.Put(text.data(), header.text_bytes);
  return buffer.first(writer.written());
}

Result<Frame> DecodeFrame(std::span<const std::byte> bytes) {
  WireHeader header{};
  if (bytes.size() < sizeof header) return Internal("frame: only {} bytes", bytes.size());
  std::memcpy(&header, bytes.data(), sizeof header);
  SNUG_RETURN_IF_ERROR(CheckHeader(header, bytes.size()));
  Frame frame;
  frame.kind = static_cast<FrameKind>(header.kind);
  frame.new_input_region = (header.flags & kNewInput) != 0;
  frame.new_output_region = (header.flags & kNewOutput) != 0;
  frame.slot = header.slot;
  frame.bytes = header.bytes;
  const std::byte* at = bytes.data() + sizeof header;
  for (uint32_t i = 0; i < header.tensor_count; ++i, at += sizeof(WireTensor)) {
    WireTensor wire;
    std::memcpy(&wire, at, sizeof wire);
    SNUG_ASSIGN_OR_RETURN(FrameTensor tensor, FromWire(wire));
    frame.tensors.push_back(std::move(tensor));
  }
  const auto* wanted = reinterpret_cast<const uint8_t*>(at);
  frame.wanted.assign(wanted, wanted + header.wanted_count);
  const auto* text = reinterpret_cast<const char*>(at + header.wanted_count);
  if (header.code != 0)
    frame.error = Status(static_cast<Code>(header.code), std::string(text, header.text_bytes));
  return frame;
}

}  // namespace snug::engine
