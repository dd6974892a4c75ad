// A model's weights as its files have them, in an unlinked file that is mapped, instead of in memory.
//
// OpenVINO executes from copies that are laid out for the CPU, and keeps the originals for shapes that it has
// not prepared for yet. In a file they take room on the disk, and memory only while they are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <openvino/openvino.hpp>
#include <string>

namespace snug::openvino {

// Smaller constants stay where they are; models with less than this together are left alone.
constexpr size_t kConstantBytesMin = size_t{16} << 10;
constexpr size_t kWeightsBytesMin = size_t{1} << 20;

class WeightsFile {
 public:
  virtual ~WeightsFile() = default;
  // Gives back the memory in which the weights are just now; they are read again when they are needed. Any
  // thread.
  virtual void Forget() const = 0;
};

// Moves the large constants of `model` into a file; they keep it. Null, and nothing has happened, where they
// are small, or where no directory has the room on a disk: $TMPDIR, /var/tmp, /tmp, those in memory left out.
std::shared_ptr<const WeightsFile> MoveWeightsToFile(ov::Model& model);

// The same for files that OpenVINO has mapped: pages of this process's mappings of `path`, or of files below
// it, that cannot be written.
void ForgetPagesOf(const std::string& path);

}  // namespace snug::openvino
