// What an inference may ask for besides tensors in its message, of both protocols: tensors in shared memory,
// and outputs as classes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "server/core.h"
#include "server/shared_memory.h"
#include "serving/request.h"

namespace snug::server {

// The parameters shared_memory_region, …_offset and …_byte_size of one tensor.
struct SharedParameters {
  std::optional<std::string> region;
  std::optional<int64_t> offset, bytes;

  // Nothing when none is given. INVALID_ARGUMENT unless region and byte_size are.
  Result<std::optional<SharedPlace>> Place(const std::string& tensor) const;
};

struct OutputWish {
  std::string name;
  int64_t classes = 0;               // the highest few of each row; 0: the tensor itself
  std::optional<SharedPlace> place;  // instead of the message
};

struct InferExtras {
  std::vector<std::pair<size_t, SharedPlace>> inputs;  // index of the input, and where its bytes are
  std::vector<OutputWish> outputs;                     // those that wish something
};

// The value of the parameter `classification`.
Status CheckClasses(const std::string& output, int64_t classes);

// Takes the inputs' bytes from where they are. INVALID_ARGUMENT as SharedRegions, or together more than
// requests may have.
Status ReadSharedInputs(const SharedRegions& regions, const InferExtras& extras, std::vector<Tensor>& inputs);

// Makes classes and writes outputs to shared memory. Those have no bytes in `response` any more, and a place
// (with their size) in the result, which is empty or has one entry for each output (no region: none).
Result<std::vector<SharedPlace>> FinishOutputs(const Core& core, const InferExtras& extras,
                                               serving::InferResponse& response);

}  // namespace snug::server
