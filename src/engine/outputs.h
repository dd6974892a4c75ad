// Takes what an engine writes: the host's end of snug_output_sink.
#pragma once

#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <engine.h>  // of api/; quotes would find this folder's own
#include "base/status.h"
#include "base/tensor.h"

namespace snug::engine {

// Where outputs' bytes go: the heap in process, shared memory in an engine process.
class OutputMemory {
 public:
  virtual ~OutputMemory() = default;
  // 64-byte aligned memory for output `index`, or null. Called by one thread at a time.
  virtual void* Allocate(uint32_t index, uint64_t bytes) = 0;
};

struct ProducedOutput {
  bool present = false;
  DType dtype = DType::kFp32;
  Shape shape;
  void* data = nullptr;
  uint64_t bytes = 0;
};

// Whether an output may look so: fits its declared spec, and `bytes` is what dtype and shape need (for BYTES
// the contents are checked when they are written). The text says what was expected.
Status CheckOutput(const TensorSpec& spec, int32_t dtype, const Shape& shape, uint64_t bytes);

// Collects the outputs of one execute. Its sink may be called by any thread; the rest by the one that
// executes.
class OutputCollector {
 public:
  OutputCollector(const std::vector<TensorSpec>& specs, uint64_t bytes_max, OutputMemory& memory);
  OutputCollector(const OutputCollector&) = delete;
  OutputCollector& operator=(const OutputCollector&) = delete;

  snug_output_sink Sink();
  // What became of the execute: a refusal of ours explains a failure better than the engine's own text; a
  // wanted output that was never produced is INTERNAL.
  Status Finish(const Status& from_engine, std::span<const uint8_t> wanted);
  const std::vector<ProducedOutput>& outputs() const { return outputs_; }

 private:
  static void* AllocateFromC(void* context, uint32_t index, snug_dtype dtype, int32_t rank,
                             const int64_t* dims, uint64_t bytes);
  Result<void*> Allocate(uint32_t index, snug_dtype dtype, int32_t rank, const int64_t* dims, uint64_t bytes);
  Status CheckProduced(uint32_t index) const;

  const std::vector<TensorSpec>& specs_;
  const uint64_t bytes_max_;
  OutputMemory& memory_;
  std::mutex mutex_;
  uint64_t bytes_total_ = 0;
  std::vector<ProducedOutput> outputs_;
  Status refusal_;
};

}  // namespace snug::engine
