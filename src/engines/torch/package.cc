// Packages (.pt2) that torch._inductor.aoti_compile_and_package made of a torch.export: native code for one
// kind of CPU, with the weights. Inputs and outputs have places, not names.
#include <ATen/cpu/Utils.h>
#include <dlfcn.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/version.h>

#include <cstdlib>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "engines/torch/model.h"
#include "engines/torch/tensors.h"

namespace snug::torch_engine {
namespace {

using Loader = torch::inductor::AOTIModelPackageLoader;

constexpr char kModelName[] = "model";  // the only one of a package made by aoti_compile_and_package
constexpr size_t kErrorBytesMax = 600;

// The code in a package needs a library called libtorch.so. That of the wheel with CUDA wants all of CUDA;
// this one, empty_libtorch.cc, has the same name and wants libtorch_cpu.so alone.
void OpenLibTorchOfTheCpu() {
  const std::string path = kit::PluginDirectory() + "/libsnug_torch_cpu.so";
  static void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw kit::Failure(SNUG_FAILED_PRECONDITION, "LibTorch cannot be opened for packages: " + path);
  }
}

// Without this the code in a package takes tensors of another type or shape as if they were right. Read once,
// by the first run of each package.
void CheckInputsAtRunTime() {
  setenv("AOTI_RUNTIME_CHECK_INPUTS", "1", 1);
}

std::string Shortened(const c10::Error& error) {
  return std::string(error.what_without_backtrace()).substr(0, kErrorBytesMax);
}

using Metadata = std::unordered_map<std::string, std::string>;

Metadata ReadMetadata(const std::string& file) {
  try {
    return Loader::load_metadata_from_package(file, kModelName);
  } catch (const std::exception& e) {
    const auto* torch_error = dynamic_cast<const c10::Error*>(&e);
    throw kit::Failure(
        SNUG_INVALID_ARGUMENT,
        file +
            " is no package that was compiled ahead of time; of a torch.export it is made in Python: "
            "torch._inductor.aoti_compile_and_package(torch.export.load(\"exported.pt2\"), "
            "package_path=\"model.pt2\"), under a setting that docs/engines.md names where batches of 1 "
            "come; LibTorch " TORCH_VERSION " said: " +
            (torch_error != nullptr ? Shortened(*torch_error)
                                    : std::string(e.what()).substr(0, kErrorBytesMax)));
  }
}

// Whether this CPU has what the package's code was compiled for, in the compiler's words: "AVX512
// AVX512_VNNI".
bool HasCpuFor(std::string_view isa) {
  const auto asks = [isa](std::string_view name) { return isa.find(name) != std::string_view::npos; };
  return (!asks("AVX2") || __builtin_cpu_supports("avx2")) &&
         (!asks("AVX512") || __builtin_cpu_supports("avx512f")) &&
         (!asks("AVX512_VNNI") || __builtin_cpu_supports("avx512vnni")) &&
         (!asks("AMX") || at::cpu::init_amx());
}

void CheckTarget(const std::string& file, Metadata metadata) {
  const std::string device = metadata["AOTI_DEVICE_KEY"];
  if (device != "cpu") {
    throw kit::Failure(SNUG_FAILED_PRECONDITION,
                       file + " was compiled for the device \"" + device + "\"; expected \"cpu\"");
  }
  const std::string isa = metadata["AOTI_CPU_ISA"];
  if (!HasCpuFor(isa)) {
    throw kit::Failure(SNUG_FAILED_PRECONDITION, file + " was compiled for a CPU with " + isa +
                                                     ", which this one has not: compile it on a machine of "
                                                     "this kind");
  }
}

class PackageInstance final : public Instance {
 public:
  PackageInstance(std::shared_ptr<Loader> loader, const Declared& declared)
      : loader_(std::move(loader)), declared_(declared) {}

  std::vector<at::Tensor> Run(const snug_tensor* inputs, const uint8_t*) override {
    std::vector<at::Tensor> views;
    for (size_t i = 0; i < declared_.inputs.size(); ++i) views.push_back(ViewOf(inputs[i]));
    std::vector<at::Tensor> outputs = loader_->run(views);
    if (outputs.size() < declared_.outputs.size()) throw TooFewValues(outputs.size(), declared_);
    return outputs;
  }

 private:
  std::shared_ptr<Loader> loader_;  // thread-safe, for as many at once as it has runners
  const Declared& declared_;
};

class PackageModel final : public Model {
 public:
  PackageModel(const std::string& file, const Declared& declared)
      : file_(file),
        declared_(declared),
        opened_(Open(declared.is_stateful ? 1 : static_cast<size_t>(declared.instances))) {}

  std::unique_ptr<Instance> NewInstance() override {
    return std::make_unique<PackageInstance>(declared_.is_stateful ? TakeOne() : opened_, declared_);
  }
  std::string Form() const override {
    return declared_.is_stateful ? "compiled torch.export, a copy for each instance"
                                 : "compiled torch.export";
  }

 private:
  // The one that was opened by the load, for the first instance.
  std::shared_ptr<Loader> TakeOne() {
    std::shared_ptr<Loader> first = std::exchange(opened_, nullptr);
    return first ? first : Open(1);
  }

  std::shared_ptr<Loader> Open(size_t runners) const {
    try {
      return std::make_shared<Loader>(file_, kModelName, /*run_single_threaded=*/false, runners);
    } catch (const c10::Error& e) {
      throw kit::Failure(SNUG_INVALID_ARGUMENT,
                         file_ + " cannot be loaded by LibTorch " TORCH_VERSION ": " + Shortened(e));
    }
  }

  std::string file_;
  const Declared& declared_;
  std::shared_ptr<Loader> opened_;  // shared by all instances, unless each has its own
};

}  // namespace

std::unique_ptr<Model> LoadPackage(const std::string& file, const Declared& declared) {
  CheckTarget(file, ReadMetadata(file));
  if (declared.inputs.size() == 0 || declared.outputs.size() == 0) {
    throw kit::Failure(
        SNUG_INVALID_ARGUMENT,
        "declare inputs and outputs in engine_options in the order of forward's, as in inputs: "
        "[{name: x, dtype: FP32, shape: [-1, 4]}]: a package does not say them");
  }
  OpenLibTorchOfTheCpu();
  CheckInputsAtRunTime();
  return std::make_unique<PackageModel>(file, declared);
}

}  // namespace snug::torch_engine
