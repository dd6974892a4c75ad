// Plans through TensorRT. Its library is opened at run time; what it logs as an error becomes the text of the
// failure.
#include <NvInferRuntime.h>
#include <dlfcn.h>

#include <cstdlib>
#include <fstream>
#include <mutex>
#include <sstream>
#include <utility>

#include "engines/kit/kit.h"
#include "engines/tensorrt/cuda.h"
#include "engines/tensorrt/plan.h"
#include "engines/tensorrt/types.h"

namespace snug::trt {
namespace {

using kit::Failure;

// Keeps the last error's text: TensorRT's functions only return null or false.
class Logger : public nvinfer1::ILogger {
 public:
  void log(Severity severity, const char* text) noexcept override {
    if (severity > Severity::kWARNING) return;
    if (severity == Severity::kWARNING) {
      std::fprintf(stderr, "TensorRT: %s\n", text);
      return;
    }
    std::lock_guard lock(mutex_);
    last_ = text;
  }
  std::string Last() {
    std::lock_guard lock(mutex_);
    return last_.empty() ? "it does not say why" : std::exchange(last_, {});
  }

 private:
  std::mutex mutex_;
  std::string last_;
};

Logger& TheLogger() {
  static Logger logger;  // outlives every runtime
  return logger;
}

using CreateRuntime = void* (*)(void* logger, int32_t version);

CreateRuntime Library() {
  static const CreateRuntime create = [] {
    const char* named = std::getenv("SNUG_TENSORRT_LIBRARY");
    const std::string usual = "libnvinfer.so." + std::to_string(NV_TENSORRT_MAJOR);
    void* library = dlopen(named != nullptr ? named : usual.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
      throw Failure(SNUG_FAILED_PRECONDITION,
                    std::string("TensorRT cannot be opened: ") + dlerror() +
                        "; set SNUG_TENSORRT_LIBRARY to its path, or LD_LIBRARY_PATH to its folder");
    auto found = reinterpret_cast<CreateRuntime>(dlsym(library, "createInferRuntime_INTERNAL"));
    if (found == nullptr)
      throw Failure(SNUG_FAILED_PRECONDITION, "TensorRT's library has no createInferRuntime_INTERNAL");
    return found;
  }();
  return create;
}

std::string ReadFile(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) throw Failure(SNUG_NOT_FOUND, file + " cannot be read");
  return std::move(text).str();
}

// Where TensorRT puts an output: it asks for as much as it turns out to need.
class Output : public nvinfer1::IOutputAllocator {
 public:
  void* reallocateOutputAsync(const char*, void*, uint64_t bytes, uint64_t, cudaStream_t) override {
    try {
      return memory.AtLeast(bytes);
    } catch (const std::exception&) {
      return nullptr;  // TensorRT reports it
    }
  }
  void notifyShape(const char* name, const nvinfer1::Dims& shape) noexcept override {
    try {
      dims = ToSnug(shape, name);
    } catch (const std::exception&) {
      dims.clear();
    }
  }

  DeviceMemory memory;
  Dims dims;
};

class NvContext : public Context {
 public:
  NvContext(nvinfer1::ICudaEngine& engine, const std::vector<IoTensor>& tensors, const PlanOptions& options)
      : tensors_(tensors), device_(options.device), inputs_(tensors.size()), outputs_(tensors.size()) {
    UseDevice(device_);
    context_.reset(engine.createExecutionContext());
    if (!context_) throw Failure(SNUG_RESOURCE_EXHAUSTED, "TensorRT makes no context: " + TheLogger().Last());
    if (options.profile != 0) {
      Need(context_->setOptimizationProfileAsync(options.profile, stream_.get()), "choosing the profile");
      stream_.Wait();
    }
    for (size_t i = 0; i < tensors_.size(); ++i) {
      if (tensors_[i].is_input) continue;
      Need(context_->setOutputAllocator(tensors_[i].name.c_str(), &outputs_[i]), "preparing an output");
    }
  }
  ~NvContext() override {
    try {
      UseDevice(device_);              // for what the members give back
    } catch (const std::exception&) {  // the device is gone, and all of its memory
    }
  }

  void SetInput(size_t tensor, std::span<const int64_t> dims, const void* data, uint64_t bytes) override {
    UseDevice(device_);
    const std::string& name = tensors_[tensor].name;
    void* memory = inputs_[tensor].AtLeast(bytes);
    stream_.CopyIn(memory, data, bytes);
    Need(context_->setInputShape(name.c_str(), ToNv(dims, name)), "setting the shape of an input",
         SNUG_INVALID_ARGUMENT);
    Need(context_->setInputTensorAddress(name.c_str(), memory), "setting an input");
  }
  void Run() override {
    UseDevice(device_);
    Need(context_->enqueueV3(stream_.get()), "executing");
    stream_.Wait();
  }
  Dims OutputDims(size_t tensor) override { return outputs_[tensor].dims; }
  void GetOutput(size_t tensor, void* to, uint64_t bytes) override {
    UseDevice(device_);
    stream_.CopyOut(to, outputs_[tensor].memory.get(), bytes);
    stream_.Wait();
  }

 private:
  static void Need(bool ok, const char* what, snug_code code = SNUG_INTERNAL) {
    if (!ok) throw Failure(code, std::string(what) + ": TensorRT says: " + TheLogger().Last());
  }

  const std::vector<IoTensor>& tensors_;
  const int device_;
  Stream stream_;
  std::vector<DeviceMemory> inputs_;  // by tensor
  std::vector<Output> outputs_;
  std::unique_ptr<nvinfer1::IExecutionContext> context_;  // goes first: it knows the others
};

class NvPlan : public Plan {
 public:
  explicit NvPlan(const PlanOptions& options) : options_(options) {
    UseDevice(options.device);
    runtime_.reset(static_cast<nvinfer1::IRuntime*>(Library()(&TheLogger(), NV_TENSORRT_VERSION)));
    if (!runtime_) throw Failure(SNUG_FAILED_PRECONDITION, "TensorRT does not start: " + TheLogger().Last());
    const std::string blob = ReadFile(options.file);
    engine_.reset(runtime_->deserializeCudaEngine(blob.data(), blob.size()));
    if (!engine_)
      throw Failure(SNUG_INVALID_ARGUMENT, options.file + " is no plan for this TensorRT and GPU: " +
                                               TheLogger().Last() + "; build it with trtexec on such a GPU");
    const int profiles = engine_->getNbOptimizationProfiles();
    if (options.profile >= profiles)
      throw Failure(SNUG_INVALID_ARGUMENT, "profile: " + std::to_string(options.profile) +
                                               " is not in the plan; it has " + std::to_string(profiles));
    for (int i = 0; i < engine_->getNbIOTensors(); ++i) tensors_.push_back(Read(engine_->getIOTensorName(i)));
  }
  const std::vector<IoTensor>& tensors() const override { return tensors_; }
  uint64_t context_bytes() const override {
    return static_cast<uint64_t>(
        std::max<int64_t>(0, engine_->getDeviceMemorySizeForProfileV2(options_.profile)));
  }
  std::unique_ptr<Context> CreateContext() override {
    std::lock_guard lock(mutex_);
    return std::make_unique<NvContext>(*engine_, tensors_, options_);
  }

 private:
  IoTensor Read(const char* name) const {
    IoTensor tensor;
    tensor.name = name;
    tensor.is_input = engine_->getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT;
    tensor.dtype = ToSnug(engine_->getTensorDataType(name), name);
    tensor.dims = ToSnug(engine_->getTensorShape(name), name);
    if (engine_->getTensorLocation(name) != nvinfer1::TensorLocation::kDEVICE)
      throw Failure(SNUG_UNIMPLEMENTED, "tensor \"" + tensor.name +
                                            "\" is a shape that the plan wants from the "
                                            "CPU; make it a constant, or take it from another input's shape");
    if (engine_->getTensorFormat(name, options_.profile) != nvinfer1::TensorFormat::kLINEAR)
      throw Failure(
          SNUG_UNIMPLEMENTED,
          "tensor \"" + tensor.name + "\" is laid out as " +
              engine_->getTensorFormatDesc(name, options_.profile) +
              "; build the plan with linear inputs and outputs (trtexec --inputIOFormats=fp32:chw)");
    if (!tensor.is_input) return tensor;
    using nvinfer1::OptProfileSelector;
    tensor.least = ToSnug(engine_->getProfileShape(name, options_.profile, OptProfileSelector::kMIN), name);
    tensor.most = ToSnug(engine_->getProfileShape(name, options_.profile, OptProfileSelector::kMAX), name);
    return tensor;
  }

  const PlanOptions options_;
  std::unique_ptr<nvinfer1::IRuntime> runtime_;
  std::unique_ptr<nvinfer1::ICudaEngine> engine_;  // goes before its runtime
  std::vector<IoTensor> tensors_;
  std::mutex mutex_;
};

}  // namespace

std::unique_ptr<Plan> OpenPlan(const PlanOptions& options) {
  return std::make_unique<NvPlan>(options);
}

}  // namespace snug::trt
