// What goes over an instance's socket: fixed-size binary frames. Same machine, same build, so native byte
// order; yet the reader trusts nothing. Pure.
//
//   host → process  kExecute  inputs (in the input region), wanted, the output slot to write to
//                   kCollect  a larger region for the slot, after kNeedSpace
//   process → host  kDone     outputs (in the slot's region)
//                   kNeedSpace  bytes that the outputs take: the slot is too small
//                   kError    code and text
// Regions are announced in the frame that first uses them: their descriptors are attached, input region
// first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <engine.h>  // of api/; quotes would find this folder's own

#include "base/status.h"
#include "base/tensor.h"

namespace snug::engine {

enum class FrameKind : uint32_t { kExecute = 1, kCollect = 2, kDone = 3, kNeedSpace = 4, kError = 5 };

constexpr uint32_t kOutputSlotsMax = 8;

struct FrameTensor {
  uint32_t present = 0;  // outputs that were not wanted are not
  DType dtype = DType::kFp32;
  Shape shape;
  uint64_t offset = 0;  // in its region
  uint64_t bytes = 0;

  bool operator==(const FrameTensor&) const = default;
};

struct Frame {
  FrameKind kind = FrameKind::kExecute;
  bool new_input_region = false;
  bool new_output_region = false;
  uint32_t slot = 0;
  uint64_t bytes = 0;                // kNeedSpace
  Status error;                      // kError
  std::vector<FrameTensor> tensors;  // kExecute: inputs; kDone: outputs
  std::vector<uint8_t> wanted;       // kExecute: one for each output

  size_t RegionCount() const { return size_t{new_input_region} + size_t{new_output_region}; }
};

// Large enough for every frame.
constexpr size_t kFrameBytesMax = 64 << 10;

// Writes the frame to `buffer` (kFrameBytesMax bytes) and returns what was written of it. `frame` is ours and
// in order.
std::span<const std::byte> EncodeFrame(const Frame& frame, std::span<std::byte> buffer);
// INTERNAL for anything that EncodeFrame does not write.
Result<Frame> DecodeFrame(std::span<const std::byte> bytes);

}  // namespace snug::engine
