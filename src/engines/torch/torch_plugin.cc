// The plug-in that the host opens. LibTorch is large (450 MB mapped), so what uses it lies in a library of
// its own, libsnug_torch.so beside this one, and is opened by create: a server that only looks at its
// plug-ins does not pay.
#include <dlfcn.h>

#include <string>

#include "engine.h"
#include "engines/kit/kit.h"
#include "engines/torch/model_file.h"

namespace {

using snug::kit::Failure;
using snug::kit::Guard;

const snug_engine_api* inner = nullptr;  // set by the first create

void OpenInner() {
  void* library = dlopen((snug::kit::PluginDirectory() + "/libsnug_torch.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw Failure(SNUG_FAILED_PRECONDITION, std::string("LibTorch cannot be opened: ") + dlerror());
  }
  auto get = reinterpret_cast<snug_engine_get_api_fn>(dlsym(library, SNUG_ENGINE_ENTRY));
  inner = get == nullptr ? nullptr : get(SNUG_ENGINE_ABI_VERSION);
  if (inner == nullptr) throw Failure(SNUG_FAILED_PRECONDITION, "libsnug_torch.so is of another version");
}

snug_code Create(const snug_engine_config* config, snug_engine** engine, snug_error* error) {
  snug_code code = Guard(error, SNUG_INTERNAL, [] {
    if (inner == nullptr) OpenInner();
  });
  return code == SNUG_OK ? inner->create(config, engine, error) : code;
}

}  // namespace

extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t host_abi_version) {
  static const snug_engine_api api = {
      .struct_size = sizeof(snug_engine_api),
      .abi_version = SNUG_ENGINE_ABI_VERSION,
      .name = "torch",
      .version = SNUG_TORCH_VERSION,
      .create = &Create,
      .destroy = [](snug_engine* engine) { inner->destroy(engine); },
      .load = [](snug_engine* engine, const char* directory, const char* options, snug_model** model,
                 snug_error* error) { return inner->load(engine, directory, options, model, error); },
      .unload = [](snug_model* model) { inner->unload(model); },
      .describe = [](snug_model* model, snug_model_info* info,
                     snug_error* error) { return inner->describe(model, info, error); },
      .create_instance = [](snug_model* model, snug_instance** instance,
                            snug_error* error) { return inner->create_instance(model, instance, error); },
      .destroy_instance = [](snug_instance* instance) { inner->destroy_instance(instance); },
      .execute =
          [](snug_instance* instance, const snug_tensor* inputs, uint32_t input_count, const uint8_t* wanted,
             uint32_t output_count, const snug_output_sink* sink, snug_error* error) {
            return inner->execute(instance, inputs, input_count, wanted, output_count, sink, error);
          },
      .recognises = [](const char* directory) { return snug::torch_engine::HasModelFile(directory) ? 2 : 0; },
      .prefers_process = 1,  // the size of its thread pool is one for the process, and so is much else
  };
  return host_abi_version == SNUG_ENGINE_ABI_VERSION ? &api : nullptr;
}
