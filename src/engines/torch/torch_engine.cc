// LibTorch's C border: TorchScript (script.cc) and packages compiled ahead of time (package.cc), on the CPU.
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#include <memory>
#include <string>

#include "engine.h"
#include "engines/kit/kit.h"
#include "engines/torch/model.h"
#include "engines/torch/model_file.h"
#include "engines/torch/tensors.h"

using snug::kit::Failure;
using snug::kit::Guard;
namespace torch_engine = snug::torch_engine;

struct snug_engine {};

struct snug_model {
  torch_engine::Declared declared;
  std::unique_ptr<torch_engine::Model> model;
  uint64_t memory_bytes = 0;
  std::string description;
};

struct snug_instance {
  const snug_model& model;
  std::unique_ptr<torch_engine::Instance> instance;
};

namespace {

constexpr int kThreadsMax = 256, kInstancesMax = 256;

// Runs `body`; LibTorch's errors become INTERNAL without the addresses of its stack.
template <typename Body>
snug_code GuardTorch(snug_error* error, Body&& body) {
  return Guard(error, SNUG_INTERNAL, [&] {
    try {
      body();
    } catch (const c10::Error& e) {
      throw Failure(SNUG_INTERNAL, e.what_without_backtrace());
    }
  });
}

void ReadDeclared(const char* options_json, torch_engine::Declared& declared) {
  snug::kit::Options options(options_json, {"threads", "instances", "inputs", "outputs", "stateful"});
  declared.threads = static_cast<int>(options.Integer("threads", 1, 1, kThreadsMax));
  declared.instances = static_cast<int>(options.Integer("instances", 1, 1, kInstancesMax));
  declared.is_stateful = options.Boolean("stateful", false);
  snug::kit::AddDeclared(options, "inputs", declared.inputs);
  snug::kit::AddDeclared(options, "outputs", declared.outputs);
  for (const auto* list : {&declared.inputs, &declared.outputs}) {
    for (const auto& spec : list->specs()) torch_engine::ToTorch(spec.dtype);
  }
}

void Load(const char* directory, const char* options_json, snug_model& model) {
  ReadDeclared(options_json, model.declared);
  const std::string file = torch_engine::FindModelFile(directory);
  const uint64_t before = snug::kit::PrivateBytes();
  at::set_num_threads(model.declared.threads);
  model.model = torch_engine::IsPackage(file) ? torch_engine::LoadPackage(file, model.declared)
                                              : torch_engine::LoadScript(file, model.declared);
  const uint64_t after = snug::kit::PrivateBytes();
  model.memory_bytes = after > before ? after - before : 0;
  const int threads = model.declared.threads;
  model.description = "LibTorch " TORCH_VERSION " CPU, " + model.model->Form() + ", " +
                      std::to_string(threads) + " thread" + (threads == 1 ? "" : "s");
}

void Run(snug_instance& instance, const snug_tensor* inputs, const uint8_t* wanted, uint32_t output_count,
         const snug_output_sink& sink) {
  const c10::InferenceMode no_gradients;
  const auto outputs = instance.instance->Run(inputs, wanted);
  for (uint32_t i = 0; i < output_count; ++i) {
    if (wanted[i] != 0) torch_engine::WriteOutput(outputs[i], i, sink);
  }
}

snug_code CreateEngine(const snug_engine_config* config, snug_engine** engine, snug_error* error) {
  return GuardTorch(error, [&] {
    snug::kit::Options options(config->options_json, {});
    static const bool once = (at::set_num_interop_threads(1), true);
    (void)once;
    *engine = new snug_engine;
  });
}

snug_code LoadModel(snug_engine*, const char* directory, const char* options_json, snug_model** model,
                    snug_error* error) {
  return GuardTorch(error, [&] {
    auto made = std::make_unique<snug_model>();
    Load(directory, options_json, *made);
    *model = made.release();
  });
}

snug_code DescribeModel(snug_model* model, snug_model_info* info, snug_error*) {
  snug::kit::Describe(model->declared.inputs, model->declared.outputs, model->memory_bytes,
                      model->declared.threads, model->description, info);
  return SNUG_OK;
}

snug_code CreateInstance(snug_model* model, snug_instance** instance, snug_error* error) {
  return GuardTorch(error, [&] { *instance = new snug_instance{*model, model->model->NewInstance()}; });
}

snug_code Execute(snug_instance* instance, const snug_tensor* inputs, uint32_t, const uint8_t* wanted,
                  uint32_t output_count, const snug_output_sink* sink, snug_error* error) {
  return GuardTorch(error, [&] { Run(*instance, inputs, wanted, output_count, *sink); });
}

}  // namespace

// For torch_plugin.cc, which has the name, the version and recognises.
extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t host_abi_version) {
  static const snug_engine_api api = {
      .struct_size = sizeof(snug_engine_api),
      .abi_version = SNUG_ENGINE_ABI_VERSION,
      .name = "torch",
      .version = TORCH_VERSION,
      .create = &CreateEngine,
      .destroy = [](snug_engine* engine) { delete engine; },
      .load = &LoadModel,
      .unload = [](snug_model* model) { delete model; },
      .describe = &DescribeModel,
      .create_instance = &CreateInstance,
      .destroy_instance = [](snug_instance* instance) { delete instance; },
      .execute = &Execute,
      .recognises = nullptr,
      .prefers_process = 1,
  };
  return host_abi_version == SNUG_ENGINE_ABI_VERSION ? &api : nullptr;
}
