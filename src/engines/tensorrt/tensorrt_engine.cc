// TensorRT plans on a GPU. The C border; see execution.h.
#include <NvInferVersion.h>

#include <filesystem>
#include <memory>
#include <string>

#include "engine.h"
#include "engines/kit/kit.h"
#include "engines/tensorrt/execution.h"

using snug::kit::Guard;
using snug::trt::Border;
using snug::trt::Context;
using snug::trt::Plan;

#define SNUG_TEXT_OF(number) #number
#define SNUG_TEXT(number) SNUG_TEXT_OF(number)
#define SNUG_TRT_VERSION \
  SNUG_TEXT(TRT_MAJOR_ENTERPRISE) "." SNUG_TEXT(TRT_MINOR_ENTERPRISE) "." SNUG_TEXT(TRT_PATCH_ENTERPRISE)

struct snug_engine {};

struct snug_model {
  std::unique_ptr<Plan> plan;
  std::unique_ptr<Border> border;
  uint64_t memory_bytes = 0;
  std::string description;
};

struct snug_instance {
  const snug_model* model = nullptr;
  std::unique_ptr<Context> context;
};

namespace {

constexpr int64_t kDevicesMax = 64, kProfilesMax = 64;

std::string PlanFile(const std::string& directory) {
  return snug::kit::OneFile(directory, {".plan", ".engine"}, "model.plan");
}

void Load(const std::string& directory, const char* options_json, snug_model& model) {
  const snug::kit::Options options(options_json, {"device", "profile", "threads", "instances"});
  snug::trt::PlanOptions chosen;
  chosen.file = PlanFile(directory);
  chosen.device = static_cast<int>(options.Integer("device", 0, 0, kDevicesMax - 1));
  chosen.profile = static_cast<int>(options.Integer("profile", 0, 0, kProfilesMax - 1));
  model.plan = snug::trt::OpenPlan(chosen);
  model.border = std::make_unique<Border>(*model.plan);
  // Of the GPU: the weights, about as large as the file, and what each instance executes in.
  model.memory_bytes =
      std::filesystem::file_size(chosen.file) +
      model.plan->context_bytes() * static_cast<uint64_t>(options.Integer("instances", 1, 1, 1024));
  model.description = "TensorRT " SNUG_TRT_VERSION ", GPU " + std::to_string(chosen.device) + ", profile " +
                      std::to_string(chosen.profile);
}

// TensorRT's library is opened by the first load, so that a server without one can say what it lacks then.
snug_code CreateEngine(const snug_engine_config* config, snug_engine** engine, snug_error* error) {
  return Guard(error, SNUG_FAILED_PRECONDITION, [&] {
    snug::kit::Options options(config->options_json, {});
    *engine = new snug_engine;
  });
}

snug_code LoadModel(snug_engine*, const char* directory, const char* options_json, snug_model** model,
                    snug_error* error) {
  return Guard(error, SNUG_INVALID_ARGUMENT, [&] {
    auto made = std::make_unique<snug_model>();
    Load(directory, options_json, *made);
    *model = made.release();
  });
}

snug_code DescribeModel(snug_model* model, snug_model_info* info, snug_error*) {
  snug::kit::Describe(model->border->inputs, model->border->outputs, model->memory_bytes, 1,
                      model->description, info);
  return SNUG_OK;
}

snug_code CreateInstance(snug_model* model, snug_instance** instance, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    *instance = new snug_instance{model, model->plan->CreateContext()};
  });
}

snug_code Execute(snug_instance* instance, const snug_tensor* inputs, uint32_t, const uint8_t* wanted,
                  uint32_t, const snug_output_sink* sink, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    snug::trt::Execute(*instance->model->plan, *instance->model->border, *instance->context, inputs, wanted,
                       *sink);
  });
}

int32_t Recognises(const char* directory) {
  try {
    PlanFile(directory);
    return 2;
  } catch (...) {
    return 0;
  }
}

}  // namespace

extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t host_abi_version) {
  static const snug_engine_api api = {
      .struct_size = sizeof(snug_engine_api),
      .abi_version = SNUG_ENGINE_ABI_VERSION,
      .name = "tensorrt",
      .version = SNUG_TRT_VERSION,
      .create = &CreateEngine,
      .destroy = [](snug_engine* engine) { delete engine; },
      .load = &LoadModel,
      .unload = [](snug_model* model) { delete model; },
      .describe = &DescribeModel,
      .create_instance = &CreateInstance,
      .destroy_instance = [](snug_instance* instance) { delete instance; },
      .execute = &Execute,
      .recognises = &Recognises,
      .prefers_process = 0,
  };
  return host_abi_version == SNUG_ENGINE_ABI_VERSION ? &api : nullptr;
}
