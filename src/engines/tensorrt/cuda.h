// CUDA's runtime, opened at run time: memory and streams of one device. All throw kit::Failure.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace snug::trt {

// Makes `device` the calling thread's. Throws FAILED_PRECONDITION where there is no CUDA or no such device.
void UseDevice(int device);

class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }
  void CopyIn(void* device, const void* host, uint64_t bytes);
  void CopyOut(void* host, const void* device, uint64_t bytes);
  void Wait();

 private:
  cudaStream_t stream_ = nullptr;
};

// Memory of the device that grows.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  // At least so many bytes, and at least one; what was in it is lost when it grows. RESOURCE_EXHAUSTED.
  void* AtLeast(uint64_t bytes);
  void* get() const { return memory_; }

 private:
  void* memory_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace snug::trt
