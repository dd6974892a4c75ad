#include "engines/tensorrt/cuda.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "engines/kit/kit.h"

namespace snug::trt {
namespace {

using kit::Failure;

// Their types are the header's.
struct Functions {
  decltype(&cudaGetErrorString) error_string;
  decltype(&cudaGetDeviceCount) device_count;
  decltype(&cudaSetDevice) set_device;
  decltype(&cudaMalloc) allocate;
  decltype(&cudaFree) free;
  decltype(&cudaStreamCreateWithFlags) create_stream;
  decltype(&cudaStreamDestroy) destroy_stream;
  decltype(&cudaStreamSynchronize) wait;
  decltype(&cudaMemcpyAsync) copy;
};

void* OpenLibrary() {
  if (const char* named = std::getenv("SNUG_CUDART_LIBRARY")) {
    if (void* library = dlopen(named, RTLD_NOW | RTLD_LOCAL)) return library;
  } else {
    const std::string usual = "libcudart.so." + std::to_string(CUDART_VERSION / 1000);
    for (const char* path : {SNUG_CUDART_LIBRARY, usual.c_str()}) {  // beside its headers, else the system's
      if (void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL)) return library;
    }
  }
  throw Failure(SNUG_FAILED_PRECONDITION,
                std::string("CUDA's runtime cannot be opened: ") + dlerror() +
                    "; set SNUG_CUDART_LIBRARY to its path, or LD_LIBRARY_PATH to its folder");
}

template <typename F>
void Find(void* library, const char* name, F& to) {
  to = reinterpret_cast<F>(dlsym(library, name));
  if (to == nullptr) throw Failure(SNUG_FAILED_PRECONDITION, std::string("CUDA's runtime has no ") + name);
}

const Functions& Cuda() {
  static const Functions functions = [] {
    void* library = OpenLibrary();
    Functions f{};
    Find(library, "cudaGetErrorString", f.error_string);
    Find(library, "cudaGetDeviceCount", f.device_count);
    Find(library, "cudaSetDevice", f.set_device);
    Find(library, "cudaMalloc", f.allocate);
    Find(library, "cudaFree", f.free);
    Find(library, "cudaStreamCreateWithFlags", f.create_stream);
    Find(library, "cudaStreamDestroy", f.destroy_stream);
    Find(library, "cudaStreamSynchronize", f.wait);
    Find(library, "cudaMemcpyAsync", f.copy);
    return f;
  }();
  return functions;
}

void Check(cudaError_t error, const char* what, snug_code code = SNUG_INTERNAL) {
  if (error == cudaSuccess) return;
  throw Failure(error == cudaErrorMemoryAllocation ? SNUG_RESOURCE_EXHAUSTED : code,
                std::string(what) + ": CUDA says: " + Cuda().error_string(error));
}

}  // namespace

void UseDevice(int device) {
  int count = 0;
  Check(Cuda().device_count(&count), "looking for GPUs", SNUG_FAILED_PRECONDITION);
  if (device >= count)
    throw Failure(SNUG_FAILED_PRECONDITION,
                  "device: " + std::to_string(device) + " is not here; GPUs here: " + std::to_string(count));
  Check(Cuda().set_device(device), "choosing the GPU", SNUG_FAILED_PRECONDITION);
}

Stream::Stream() {
  Check(Cuda().create_stream(&stream_, cudaStreamNonBlocking), "making a stream");
}
Stream::~Stream() {
  Cuda().destroy_stream(stream_);
}
void Stream::CopyIn(void* device, const void* host, uint64_t bytes) {
  if (bytes > 0) Check(Cuda().copy(device, host, bytes, cudaMemcpyHostToDevice, stream_), "copying an input");
}
void Stream::CopyOut(void* host, const void* device, uint64_t bytes) {
  if (bytes > 0)
    Check(Cuda().copy(host, device, bytes, cudaMemcpyDeviceToHost, stream_), "copying an output");
}
void Stream::Wait() {
  Check(Cuda().wait(stream_), "executing");
}

DeviceMemory::~DeviceMemory() {
  if (memory_ != nullptr) Cuda().free(memory_);
}
void* DeviceMemory::AtLeast(uint64_t bytes) {
  bytes = std::max<uint64_t>(bytes, 1);
  if (bytes <= bytes_) return memory_;
  if (memory_ != nullptr) Cuda().free(std::exchange(memory_, nullptr));
  bytes_ = 0;
  Check(Cuda().allocate(&memory_, bytes), "reserving memory of the GPU");
  bytes_ = bytes;
  return memory_;
}

}  // namespace snug::trt
