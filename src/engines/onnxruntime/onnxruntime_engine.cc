// ONNX files through ONNX Runtime, on the CPU: for what OpenVINO does not read. The C border and the session.
#include <memory>
#include <string>
#include <vector>

#include "engine.h"
#include "engines/kit/kit.h"
#include "engines/onnxruntime/api.h"
#include "engines/onnxruntime/tensors.h"

using snug::kit::Failure;
using snug::kit::Guard;
using snug::ort::Check;
using snug::ort::Open;
using snug::ort::Owned;

struct snug_engine {
  Owned<OrtEnv> env;
};

struct snug_model {
  Owned<OrtMemoryInfo> cpu;
  Owned<OrtSession> session;  // shared by the instances: Run may be called by several threads
  snug::kit::SpecList inputs;
  snug::kit::SpecList outputs;
  int threads = 1;
  uint64_t memory_bytes = 0;
  std::string description;
};

struct snug_instance {
  const snug_model* model = nullptr;
};

namespace {

constexpr int kThreadsMax = 256;

Owned<OrtSessionOptions> SessionOptions(const snug::kit::Options& options, int threads) {
  OrtSessionOptions* made = nullptr;
  Check(Open().CreateSessionOptions(&made));
  Owned<OrtSessionOptions> owned(made);
  Check(Open().SetIntraOpNumThreads(made, threads));
  Check(Open().SetInterOpNumThreads(made, 1));
  // Threads that spin for work take the CPU from the models beside.
  Check(Open().AddSessionConfigEntry(made, "session.intra_op.allow_spinning", "0"));
  const std::string level = options.Choice("optimise", "all", {"none", "basic", "extended", "all"});
  Check(Open().SetSessionGraphOptimizationLevel(made, level == "none"       ? ORT_DISABLE_ALL
                                                      : level == "basic"    ? ORT_ENABLE_BASIC
                                                      : level == "extended" ? ORT_ENABLE_EXTENDED
                                                                            : ORT_ENABLE_ALL));
  return owned;
}

void Load(snug_engine& engine, const std::string& directory, const char* options_json, snug_model& model) {
  const snug::kit::Options options(options_json, {"optimise", "threads", "instances"});
  model.threads = static_cast<int>(options.Integer("threads", 1, 1, kThreadsMax));
  const std::string file = snug::kit::OneFile(directory, {".onnx"}, "model.onnx");
  const uint64_t before = snug::kit::PrivateBytes();
  OrtMemoryInfo* cpu = nullptr;
  Check(Open().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &cpu));
  model.cpu.reset(cpu);
  const Owned<OrtSessionOptions> settings = SessionOptions(options, model.threads);
  OrtSession* session = nullptr;
  Check(Open().CreateSession(engine.env.get(), file.c_str(), settings.get(), &session));
  model.session.reset(session);
  const uint64_t after = snug::kit::PrivateBytes();
  model.memory_bytes = after > before ? after - before : 0;
  snug::ort::ReadSpecs(*session, true, model.inputs);
  snug::ort::ReadSpecs(*session, false, model.outputs);
  model.description = "ONNX Runtime " + snug::ort::Version() + " CPU, " + std::to_string(model.threads) +
                      (model.threads == 1 ? " thread" : " threads");
}

// A result of fixed shape is written straight where the host wants it; null: ONNX Runtime allocates it.
Owned<OrtValue> OutputInPlace(const snug_model& model, uint32_t index, const snug_output_sink* sink) {
  const snug_tensor_spec& spec = model.outputs.specs()[index];
  const std::vector<int64_t>& dims = model.outputs.dims(index);
  if (spec.dtype == SNUG_BYTES || !snug::kit::IsStatic(dims)) return nullptr;
  uint64_t bytes = snug::kit::ElementBytes(spec.dtype);
  for (const int64_t dim : dims) bytes *= static_cast<uint64_t>(dim);
  void* memory = sink->allocate(sink->context, index, spec.dtype, spec.rank, dims.data(), bytes);
  if (memory == nullptr) throw Failure(SNUG_INTERNAL, "the host refused an output");
  return snug::ort::Wrap(*model.cpu, snug::ort::ToOnnx(spec.dtype), dims.data(), spec.rank, memory, bytes);
}

void Run(const snug_model& model, const snug_tensor* inputs, const uint8_t* wanted,
         const snug_output_sink* sink) {
  std::vector<Owned<OrtValue>> owned_inputs, in_place;
  std::vector<const char*> input_names, output_names;
  std::vector<const OrtValue*> input_values;
  std::vector<OrtValue*> output_values;
  std::vector<uint32_t> indices;
  for (size_t i = 0; i < model.inputs.size(); ++i) {
    owned_inputs.push_back(snug::ort::InputOf(*model.cpu, inputs[i]));
    input_names.push_back(model.inputs.specs()[i].name);
    input_values.push_back(owned_inputs.back().get());
  }
  for (uint32_t i = 0; i < model.outputs.size(); ++i) {
    if (wanted[i] == 0) continue;
    in_place.push_back(OutputInPlace(model, i, sink));
    output_names.push_back(model.outputs.specs()[i].name);
    output_values.push_back(in_place.back().get());
    indices.push_back(i);
  }
  if (indices.empty()) return;  // nobody wants anything
  OrtStatus* status =
      Open().Run(model.session.get(), nullptr, input_names.data(), input_values.data(), input_values.size(),
                 output_names.data(), output_names.size(), output_values.data());
  std::vector<Owned<OrtValue>> allocated(indices.size());
  for (size_t i = 0; i < indices.size(); ++i) {
    if (in_place[i] == nullptr) allocated[i].reset(output_values[i]);
  }
  Check(status);
  for (size_t i = 0; i < indices.size(); ++i) {
    if (allocated[i] != nullptr) snug::ort::CopyOutput(*allocated[i], indices[i], sink);
  }
}

snug_code CreateEngine(const snug_engine_config* config, snug_engine** engine, snug_error* error) {
  return Guard(error, SNUG_FAILED_PRECONDITION, [&] {
    snug::kit::Options options(config->options_json, {});
    OrtEnv* env = nullptr;
    Check(Open().CreateEnv(ORT_LOGGING_LEVEL_WARNING, "snug", &env));
    auto made = std::make_unique<snug_engine>();
    made->env.reset(env);
    Check(Open().DisableTelemetryEvents(env));
    *engine = made.release();
  });
}

snug_code LoadModel(snug_engine* engine, const char* directory, const char* options_json, snug_model** model,
                    snug_error* error) {
  return Guard(error, SNUG_INVALID_ARGUMENT, [&] {
    auto made = std::make_unique<snug_model>();
    Load(*engine, directory, options_json, *made);
    *model = made.release();
  });
}

snug_code DescribeModel(snug_model* model, snug_model_info* info, snug_error*) {
  snug::kit::Describe(model->inputs, model->outputs, model->memory_bytes, model->threads, model->description,
                      info);
  if (info->struct_size >= sizeof *info) info->only_computes = 1;
  return SNUG_OK;
}

snug_code CreateInstance(snug_model* model, snug_instance** instance, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] { *instance = new snug_instance{model}; });
}

snug_code Execute(snug_instance* instance, const snug_tensor* inputs, uint32_t, const uint8_t* wanted,
                  uint32_t, const snug_output_sink* sink, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] { Run(*instance->model, inputs, wanted, sink); });
}

int32_t Recognises(const char* directory) {
  try {
    snug::kit::OneFile(directory, {".onnx"}, "model.onnx");
    return 1;  // OpenVINO says 2
  } catch (...) {
    return 0;
  }
}

}  // namespace

extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t host_abi_version) {
  static const snug_engine_api api = {
      .struct_size = sizeof(snug_engine_api),
      .abi_version = SNUG_ENGINE_ABI_VERSION,
      .name = "onnxruntime",
      .version = SNUG_ORT_VERSION,
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
