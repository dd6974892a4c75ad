// What of reading a page is code and no model, as an engine: a pipeline executes it like any model, with the
// tensors in place. The C border; the work is done in steps.h.
#include <memory>
#include <string>

#include "engine.h"
#include "engines/kit/kit.h"
#include "engines/page_ocr/steps.h"

using snug::kit::Guard;

struct snug_engine {};

struct snug_model {
  std::unique_ptr<snug::page_ocr::Step> step;
};

struct snug_instance {
  const snug::page_ocr::Step* step = nullptr;
};

namespace {

snug_code CreateEngine(const snug_engine_config* config, snug_engine** engine, snug_error* error) {
  return Guard(error, SNUG_FAILED_PRECONDITION, [&] {
    snug::kit::Options options(config->options_json, {});
    *engine = new snug_engine;
  });
}

snug_code LoadModel(snug_engine*, const char* directory, const char* options_json, snug_model** model,
                    snug_error* error) {
  return Guard(error, SNUG_INVALID_ARGUMENT,
               [&] { *model = new snug_model{snug::page_ocr::MakeStep(directory, options_json)}; });
}

snug_code DescribeModel(snug_model* model, snug_model_info* info, snug_error*) {
  static const std::string description = "a step of reading a page";
  snug::kit::Describe(model->step->inputs(), model->step->outputs(), sizeof *model, 1, description, info);
  info->batch_is_free = model->step->is_batched();
  if (info->struct_size >= sizeof *info) info->only_computes = 1;
  return SNUG_OK;
}

snug_code CreateInstance(snug_model* model, snug_instance** instance, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] { *instance = new snug_instance{model->step.get()}; });
}

snug_code Execute(snug_instance* instance, const snug_tensor* inputs, uint32_t, const uint8_t* wanted,
                  uint32_t, const snug_output_sink* sink, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    instance->step->Execute(inputs, snug::page_ocr::Outputs(instance->step->outputs(), wanted, sink));
  });
}

}  // namespace

extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t host_abi_version) {
  static const snug_engine_api api = {
      .struct_size = sizeof(snug_engine_api),
      .abi_version = SNUG_ENGINE_ABI_VERSION,
      .name = "page_ocr",
      .version = "1",
      .create = &CreateEngine,
      .destroy = [](snug_engine* engine) { delete engine; },
      .load = &LoadModel,
      .unload = [](snug_model* model) { delete model; },
      .describe = &DescribeModel,
      .create_instance = &CreateInstance,
      .destroy_instance = [](snug_instance* instance) { delete instance; },
      .execute = &Execute,
      .recognises = nullptr,
      .prefers_process = 0,
  };
  return host_abi_version == SNUG_ENGINE_ABI_VERSION ? &api : nullptr;
}
