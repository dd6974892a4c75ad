// A plug-in that does what plug-ins must not do. Built several times for faults of the handshake
// (FAULTY_HANDSHAKE); the rest is chosen by the option "fault".
#include <engine.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#define HANDSHAKE_NONE 0
#define HANDSHAKE_NO_ENTRY 1
#define HANDSHAKE_NULL_TABLE 2
#define HANDSHAKE_VERSION 3
#define HANDSHAKE_SHORT 4
#define HANDSHAKE_NO_EXECUTE 5
#define HANDSHAKE_NAMELESS 6
#define HANDSHAKE_ENTRY_THROWS 7
#define HANDSHAKE_CREATE 8
#define HANDSHAKE_OLDER 9

struct snug_engine {};
struct snug_model {
  std::string fault;
};
struct snug_instance {
  std::string fault;
};

namespace {

constexpr int64_t kDims[SNUG_MAX_RANK + 1] = {-1, 4};
constexpr int64_t kBadDims[2] = {-7, 4};
constexpr int64_t kFixedDims[2] = {2, 4};
const std::string kLongName(2000, 'n');

snug_code Fail(snug_error* error, snug_code code, const char* text) {
  std::strncpy(error->text, text, sizeof error->text);
  return code;
}

snug_code Create(const snug_engine_config*, snug_engine** engine, snug_error* error) {
  if (FAULTY_HANDSHAKE == HANDSHAKE_CREATE) return Fail(error, SNUG_FAILED_PRECONDITION, "no card was found");
  *engine = new snug_engine;
  return SNUG_OK;
}

// The value of "fault" in the options, cut out by hand.
std::string FaultOf(const std::string& options) {
  const std::string key = "\"fault\":\"";
  size_t at = options.find(key);
  if (at == std::string::npos) return "";
  at += key.size();
  return options.substr(at, options.find('"', at) - at);
}

snug_code Load(snug_engine*, const char*, const char* options, snug_model** model, snug_error* error) {
  std::string fault = FaultOf(options);
  if (fault == "load_error") return Fail(error, SNUG_DATA_LOSS, "weights are cut off");
  if (fault == "load_silent_error") return SNUG_INTERNAL;
  if (fault == "load_wild_error")
    return Fail(error, 77,
                "a\xff"
                "b");
  if (fault == "load_endless_error") {
    std::memset(error->text, 'e', sizeof error->text);
    return SNUG_INTERNAL;
  }
  if (fault == "load_throws") throw std::runtime_error("out of luck");
  if (fault == "load_throws_int") throw 7;
  if (fault == "load_crash") raise(SIGKILL);
  if (fault == "load_null") return SNUG_OK;
  *model = new snug_model{fault};
  return SNUG_OK;
}

void Unload(snug_model* model) {
  std::string fault = model->fault;
  delete model;
  if (fault == "unload_throws") throw std::runtime_error("out of luck");
}

snug_code Describe(snug_model* model, snug_model_info* info, snug_error* error) {
  const std::string& fault = model->fault;
  static snug_tensor_spec inputs[1];
  static snug_tensor_spec outputs[2];
  inputs[0] = {"x", SNUG_FP32, 2, kDims};
  outputs[0] = outputs[1] = {"y", SNUG_FP32, 2, kDims};
  info->input_count = info->output_count = 1;
  info->inputs = inputs;
  info->outputs = outputs;
  info->batch_is_free = 1;
  info->threads_per_instance = 1;
  info->description = nullptr;
  if (fault == "describe_error") return Fail(error, SNUG_INTERNAL, "cannot describe");
  if (fault == "no_outputs") info->output_count = 0;
  if (fault == "null_specs") info->inputs = nullptr;
  if (fault == "many_outputs") info->output_count = 100000;
  if (fault == "null_name") outputs[0].name = nullptr;
  if (fault == "empty_name") outputs[0].name = "";
  if (fault == "long_name") outputs[0].name = kLongName.c_str();
  if (fault == "binary_name") outputs[0].name = "\xc3(";
  if (fault == "same_names") info->output_count = 2;
  if (fault == "bad_dtype") outputs[0].dtype = 99;
  if (fault == "high_rank") outputs[0].rank = SNUG_MAX_RANK + 1;
  if (fault == "negative_rank") outputs[0].rank = -1;
  if (fault == "null_dims") outputs[0].dims = nullptr;
  if (fault == "bad_dim") outputs[0].dims = kBadDims;
  if (fault == "false_batch") outputs[0].dims = kFixedDims;
  if (fault == "no_threads") info->threads_per_instance = 0;
  return SNUG_OK;
}

snug_code CreateInstance(snug_model* model, snug_instance** instance, snug_error* error) {
  if (model->fault == "instance_error")
    return Fail(error, SNUG_RESOURCE_EXHAUSTED, "no room for an instance");
  if (model->fault == "instance_null") return SNUG_OK;
  *instance = new snug_instance{model->fault};
  return SNUG_OK;
}

struct Ask {
  uint32_t index = 0;
  snug_dtype dtype = SNUG_FP32;
  int32_t rank = 2;
  int64_t dims[2] = {1, 4};
  uint64_t bytes = 16;
};

Ask AskFor(const std::string& fault) {
  constexpr int64_t kHuge = int64_t{1} << 32;
  if (fault == "output_index") return {.index = 7};
  if (fault == "output_dtype") return {.dtype = SNUG_INT64};
  if (fault == "output_wild_dtype") return {.dtype = -5};
  if (fault == "output_shape") return {.dims = {1, 5}, .bytes = 20};
  if (fault == "output_negative") return {.dims = {-3, 4}};
  if (fault == "output_rank") return {.rank = 100};
  if (fault == "output_bytes") return {.bytes = 15};
  if (fault == "output_huge") return {.dims = {kHuge, 4}, .bytes = static_cast<uint64_t>(kHuge) * 16};
  if (fault == "output_overflow") return {.dims = {std::numeric_limits<int64_t>::max() / 4, 4}, .bytes = 0};
  return {};
}

snug_code Execute(snug_instance* instance, const snug_tensor* inputs, uint32_t, const uint8_t*, uint32_t,
                  const snug_output_sink* sink, snug_error* error) {
  const std::string& fault = instance->fault;
  if (fault == "execute_error") return Fail(error, SNUG_INVALID_ARGUMENT, "negative length");
  if (fault == "execute_throws") throw std::runtime_error("out of luck");
  if (fault == "execute_crash") raise(SIGKILL);
  if (fault == "execute_exits") _exit(3);
  if (fault == "output_missing") return SNUG_OK;
  // A negative first number asks a well-behaved instance to die: tests choose the moment.
  if (fault == "crash_on_negative" && static_cast<const float*>(inputs[0].data)[0] < 0) raise(SIGKILL);
  // The same for hanging: a number over a thousand.
  if (fault == "hang_on_large" && static_cast<const float*>(inputs[0].data)[0] > 1000) pause();
  Ask ask = AskFor(fault);
  if (fault == "crash_on_negative") {
    ask.dims[0] = inputs[0].dims[0];
    ask.bytes = inputs[0].bytes;
  }
  void* memory = sink->allocate(sink->context, ask.index, ask.dtype, ask.rank, ask.dims, ask.bytes);
  if (fault == "output_twice") memory = sink->allocate(sink->context, 0, SNUG_FP32, 2, ask.dims, 16);
  if (memory == nullptr) return SNUG_OK;  // claims success although it was refused
  std::memcpy(memory, inputs[0].data, std::min<uint64_t>(ask.bytes, inputs[0].bytes));
  return SNUG_OK;
}

snug_code Trim(snug_model* model, int32_t idle, snug_error*) {
  if (model->fault == "idle_trim_crash" && idle != 0) raise(SIGKILL);
  return SNUG_OK;
}

[[maybe_unused]] snug_engine_api Table() {
  snug_engine_api api{};
  api.struct_size = sizeof api;
  api.abi_version = SNUG_ENGINE_ABI_VERSION;
  api.name = "faulty";
  api.version = "1";
  api.create = &Create;
  api.destroy = [](snug_engine* engine) { delete engine; };
  api.load = &Load;
  api.unload = &Unload;
  api.describe = &Describe;
  api.create_instance = &CreateInstance;
  api.destroy_instance = [](snug_instance* instance) { delete instance; };
  api.execute = &Execute;
  api.trim = &Trim;
  if (FAULTY_HANDSHAKE == HANDSHAKE_VERSION) api.abi_version = 999;
  if (FAULTY_HANDSHAKE == HANDSHAKE_SHORT) api.struct_size = 16;
  if (FAULTY_HANDSHAKE == HANDSHAKE_NO_EXECUTE) api.execute = nullptr;
  if (FAULTY_HANDSHAKE == HANDSHAKE_NAMELESS) api.name = nullptr;
  if (FAULTY_HANDSHAKE == HANDSHAKE_OLDER) {
    // What an older header did not know: its table ends here, whatever lies behind.
    api.struct_size = offsetof(snug_engine_api, recognises);
    api.recognises = reinterpret_cast<int32_t (*)(const char*)>(1);
  }
  return api;
}

}  // namespace

#if FAULTY_HANDSHAKE != HANDSHAKE_NO_ENTRY
extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t) {
  if (FAULTY_HANDSHAKE == HANDSHAKE_NULL_TABLE) return nullptr;
  if (FAULTY_HANDSHAKE == HANDSHAKE_ENTRY_THROWS) throw std::runtime_error("entry");
  static const snug_engine_api api = Table();
  return &api;
}
#endif
