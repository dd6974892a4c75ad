// The smallest engine: a model directory that holds a file `echo.txt` is a model whose output "y" is its
// input "x". The file has the element type's number in snug_dtype and the dimensions, -1 for free ones: "11
// -1 16". docs/engines.md walks through it.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "engine.h"

struct snug_engine {};

struct snug_model {
  std::vector<int64_t> dims;
  snug_tensor_spec input{}, output{};
};

struct snug_instance {};

namespace {

snug_code Fail(snug_error* error, snug_code code, const std::string& text) {
  std::snprintf(error->text, sizeof error->text, "%s", text.c_str());
  return code;
}

snug_code Create(const snug_engine_config*, snug_engine** engine, snug_error*) {
  *engine = new snug_engine;
  return SNUG_OK;
}

snug_code Load(snug_engine*, const char* directory, const char*, snug_model** model, snug_error* error) {
  std::string path = std::string(directory) + "/echo.txt";
  std::ifstream file(path);
  snug_dtype dtype = 0;
  if (!(file >> dtype))
    return Fail(error, SNUG_INVALID_ARGUMENT, path + ": expected a type and dimensions: 11 -1 16");
  auto* made = new snug_model;
  for (int64_t dim; file >> dim;) made->dims.push_back(dim);
  made->input = {"x", dtype, static_cast<int32_t>(made->dims.size()), made->dims.data()};
  made->output = {"y", dtype, static_cast<int32_t>(made->dims.size()), made->dims.data()};
  *model = made;
  return SNUG_OK;
}

snug_code Describe(snug_model* model, snug_model_info* info, snug_error*) {
  info->inputs = &model->input;
  info->outputs = &model->output;
  info->input_count = info->output_count = 1;
  info->memory_bytes = sizeof *model;
  info->batch_is_free = !model->dims.empty() && model->dims[0] == -1;
  info->threads_per_instance = 1;
  info->description = "echo: returns its input";
  info->only_computes = 1;
  return SNUG_OK;
}

snug_code CreateInstance(snug_model*, snug_instance** instance, snug_error*) {
  *instance = new snug_instance;
  return SNUG_OK;
}

snug_code Execute(snug_instance*, const snug_tensor* inputs, uint32_t, const uint8_t* wanted, uint32_t,
                  const snug_output_sink* sink, snug_error* error) {
  if (!wanted[0]) return SNUG_OK;
  const snug_tensor& x = inputs[0];
  void* y = sink->allocate(sink->context, 0, x.dtype, x.rank, x.dims, x.bytes);
  if (y == nullptr) return Fail(error, SNUG_INTERNAL, "the host refused the output");
  if (x.bytes > 0) std::memcpy(y, x.data, x.bytes);
  return SNUG_OK;
}

int32_t Recognises(const char* directory) {
  return std::ifstream(std::string(directory) + "/echo.txt").good() ? 2 : 0;
}

const snug_engine_api kApi = {sizeof(snug_engine_api),
                              SNUG_ENGINE_ABI_VERSION,
                              "echo",
                              "1",
                              Create,
                              [](snug_engine* e) { delete e; },
                              Load,
                              [](snug_model* m) { delete m; },
                              Describe,
                              CreateInstance,
                              [](snug_instance* i) { delete i; },
                              Execute,
                              Recognises,
                              /*prefers_process=*/0};

}  // namespace

extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t host_abi_version) {
  return host_abi_version == SNUG_ENGINE_ABI_VERSION ? &kApi : nullptr;
}
