// What the engine needs of TensorRT, as a seam: library.cc gives it by TensorRT and CUDA, the tests by
// themselves. All throw kit::Failure.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine.h"

namespace snug::trt {

using Dims = std::vector<int64_t>;

struct IoTensor {
  std::string name;
  bool is_input = false;
  snug_dtype dtype = 0;
  Dims dims;         // -1 where free
  Dims least, most;  // of an input: the bounds of the profile
};

// One execution at a time.
class Context {
 public:
  virtual ~Context() = default;
  // Copies the input to the device. `tensor` counts Plan::tensors().
  virtual void SetInput(size_t tensor, std::span<const int64_t> dims, const void* data, uint64_t bytes) = 0;
  // Executes and waits for it. All inputs have been set.
  virtual void Run() = 0;
  // Of the output that Run has made.
  virtual Dims OutputDims(size_t tensor) = 0;
  // Copies it from the device; `bytes` is its size.
  virtual void GetOutput(size_t tensor, void* to, uint64_t bytes) = 0;
};

// A plan: an engine that was built for this kind of GPU. Thread-safe.
class Plan {
 public:
  virtual ~Plan() = default;
  virtual const std::vector<IoTensor>& tensors() const = 0;
  // Of the device: what one context needs while it executes.
  virtual uint64_t context_bytes() const = 0;
  virtual std::unique_ptr<Context> CreateContext() = 0;
};

struct PlanOptions {
  std::string file;
  int device = 0;
  int profile = 0;  // which of the plan's ranges of shapes
};
// FAILED_PRECONDITION: no TensorRT, no CUDA or no such GPU here; INVALID_ARGUMENT: no plan of this version
// and GPU.
std::unique_ptr<Plan> OpenPlan(const PlanOptions& options);

}  // namespace snug::trt
