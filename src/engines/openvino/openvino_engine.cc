// OpenVINO on the CPU: IR, ONNX and SavedModel. One compiled model a version, shared by its instances and by
// other versions and models of the same files; an instance is an infer request. With one stream it executes
// on the calling thread, with several on OpenVINO's stream threads. Of a small model each instance has a
// compiled model, so that all execute on the calling threads.
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <memory>
#include <openvino/openvino.hpp>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "engine.h"
#include "engines/kit/content.h"
#include "engines/kit/kit.h"
#include "engines/openvino/code_pages.h"
#include "engines/openvino/compiled_models.h"
#include "engines/openvino/model_files.h"

using snug::kit::Failure;
using snug::openvino::Format;
using snug::openvino::ModelFiles;

struct snug_engine {
  ov::Core core;
  std::string cache_dir;  // absolute; empty: none
  bool has_bf16 = false;
  bool has_f16 = false;
  snug::openvino::CompiledModels compiled;
  // Of the monotonic clock: the last load, while the code that it read is in memory; else 0.
  std::atomic<int64_t> loaded_ms{0};
};

struct snug_model {
  snug_engine* engine = nullptr;
  // One, or of a small model one for each instance.
  std::vector<std::shared_ptr<snug::openvino::CompiledModels::Shared>> copies;
  std::atomic<size_t> instances_made{0};                            // the copies in turn
  ov::CompiledModel compiled() const { return *copies[0]->model; }  // a handle
  snug::kit::SpecList inputs;
  snug::kit::SpecList outputs;
  std::string mapped;  // the file that OpenVINO has mapped for the weights; empty: none
  uint64_t memory_bytes = 0;
  int threads = 1;
  std::string description;
};

struct snug_instance {
  snug_model* model = nullptr;
  snug::openvino::CompiledModels::Shared* copy = nullptr;  // of the model's
  ov::InferRequest request;
  std::vector<ov::Output<const ov::Node>> input_ports;
  std::vector<ov::Output<const ov::Node>> output_ports;
  // Where small inputs are copied to, and whether the request reads from there now.
  std::vector<ov::Tensor> held;
  std::vector<bool> holds;
  // Where a fixed-shape output goes when nobody wants it: the request must not keep an earlier caller's
  // memory.
  std::vector<ov::Tensor> unwanted;
};

namespace {

constexpr int kThreadsMax = 1024;

// An execution on a stream of OpenVINO's costs two changes of thread, which counts beside executions of some
// tens of microseconds; a compiled model more costs memory. Files of at most so many bytes are worth it.
constexpr uint64_t kSmallModelBytes = 256 << 10;
constexpr int kCopiesMax = 16;

// What models share stays as it is while any of them has executed in this time; and the code that loads need,
// so long after one.
constexpr int64_t kSharedIdleMilliseconds = 4000;

// A model that comes to execute after a longer pause than this leaves its intermediate tensors' memory to
// whatever executes next: of many models that are asked now and then, those at work alone hold any. It stays
// with the process (malloc's), so taking it again costs next to nothing.
constexpr int64_t kTensorsKeptMilliseconds = 100;

// Smaller inputs are copied into memory that the request keeps: cheaper than to bind new memory, after which
// OpenVINO prepares its graph anew.
constexpr size_t kHeldBytesMax = 16 << 10;

int64_t MillisecondsNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

// OpenVINO's texts begin with lines on where in its source they come from; people want the rest.
std::string WithoutOrigins(const std::string& text) {
  std::istringstream lines(text);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with("Exception from ")) continue;
    kept += (kept.empty() ? "" : " ") + line;
  }
  return kept;
}

template <typename Body>
snug_code Guard(snug_error* error, snug_code otherwise, Body&& body) noexcept {
  return snug::kit::Guard(error, otherwise, [&] {
    try {
      body();
    } catch (const ov::Exception& e) {
      throw Failure(otherwise, WithoutOrigins(e.what()));
    }
  });
}

struct TypeRow {
  ov::element::Type_t ov;
  snug_dtype snug;
};
constexpr TypeRow kTypes[] = {
    {ov::element::Type_t::boolean, SNUG_BOOL}, {ov::element::Type_t::u8, SNUG_UINT8},
    {ov::element::Type_t::u16, SNUG_UINT16},   {ov::element::Type_t::u32, SNUG_UINT32},
    {ov::element::Type_t::u64, SNUG_UINT64},   {ov::element::Type_t::i8, SNUG_INT8},
    {ov::element::Type_t::i16, SNUG_INT16},    {ov::element::Type_t::i32, SNUG_INT32},
    {ov::element::Type_t::i64, SNUG_INT64},    {ov::element::Type_t::f16, SNUG_FP16},
    {ov::element::Type_t::f32, SNUG_FP32},     {ov::element::Type_t::f64, SNUG_FP64},
    {ov::element::Type_t::bf16, SNUG_BF16},
};

snug_dtype DTypeOf(const std::string& tensor, const ov::element::Type& type) {
  for (const TypeRow& row : kTypes) {
    if (type == row.ov) return row.snug;
  }
  throw Failure(SNUG_UNIMPLEMENTED, "tensor \"" + tensor + "\" has element type " + type.get_type_name() +
                                        ", which OpenVINO is not served with");
}

// The shortest of a port's names, so that "x" is taken rather than "serving_default_x:0"; the set has no
// order.
std::string NameOf(const ov::Output<const ov::Node>& port) {
  const auto& names = port.get_names();
  if (names.empty()) return port.get_node()->get_friendly_name();
  return *std::min_element(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
}

void AddSpec(snug::kit::SpecList& specs, const ov::Output<const ov::Node>& port) {
  std::string name = NameOf(port);
  const ov::PartialShape& shape = port.get_partial_shape();
  if (shape.rank().is_dynamic()) {
    throw Failure(SNUG_UNIMPLEMENTED,
                  "the rank of tensor \"" + name + "\" is unknown: convert the model with known ranks");
  }
  std::vector<int64_t> dims;
  for (const ov::Dimension& dim : shape) dims.push_back(dim.is_dynamic() ? -1 : dim.get_length());
  snug_dtype dtype = DTypeOf(name, port.get_element_type());
  specs.Add(std::move(name), dtype, std::move(dims));
}

// The precision to compile with; `note` says when it is not the one asked for.
std::optional<ov::element::Type> PrecisionFor(const snug_engine& engine, const std::string& asked,
                                              std::string& note) {
  if (asked == "auto") return std::nullopt;
  if (asked == "bf16" && engine.has_bf16) return ov::element::bf16;
  if (asked == "f16" && engine.has_f16) return ov::element::f16;
  if (asked != "f32") note = " (asked " + asked + ", this CPU has none)";
  return ov::element::f32;
}

std::string Version() {
  std::string build = ov::get_openvino_version().buildNumber;
  return build.substr(0, build.find('-'));
}

std::string Describe(const snug_model& model, const std::string& note, int streams) {
  std::string precision = model.compiled().get_property(ov::hint::inference_precision).get_type_name();
  auto counted = [](size_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
  };
  std::string parallel = counted(static_cast<size_t>(streams), "stream") + " x " +
                         counted(static_cast<size_t>(model.threads), "thread");
  if (model.copies.size() > 1) parallel = std::to_string(model.copies.size()) + " copies of " + parallel;
  return "OpenVINO " + Version() + " CPU, " + precision + note + ", " + parallel;
}

// Weights are in memory once, laid out for the CPU; what they are made from is in a file that is mapped: the
// model's own (IR), the cache's, or one made for that.
void Compile(snug_engine& engine, const ModelFiles& files, const ov::AnyMap& config,
             snug::openvino::CompiledModels::Shared& made) {
  if (!engine.cache_dir.empty()) {
    made.model = engine.core.compile_model(files.path, "CPU", config);
    // Compiled just now from what is in memory: what it left in the cache is mapped.
    if (!made.model->get_property(ov::loaded_from_cache))
      made.model = engine.core.compile_model(files.path, "CPU", config);
    return;
  }
  std::shared_ptr<ov::Model> model = engine.core.read_model(files.path);
  if (files.format != Format::kIr) made.weights = snug::openvino::MoveWeightsToFile(*model);
  made.model = engine.core.compile_model(model, "CPU", config);
}

std::string MappedFile(const snug_engine& engine, const ModelFiles& files) {
  if (!engine.cache_dir.empty()) return engine.cache_dir;
  if (files.format != Format::kIr) return "";
  return std::filesystem::canonical(std::filesystem::path(files.path).replace_extension(".bin"));
}

uint64_t FileBytes(const std::string& directory) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

// How a model is compiled.
struct Plan {
  std::optional<ov::element::Type> precision;
  int threads = 1;
  int streams = 1;  // of each copy
  int copies = 1;
  std::string note;  // why the precision is another than asked for

  // Explicit numbers everywhere: what is left out, OpenVINO takes from the machine, not from our share of it.
  // No stream at all is one execution at a time on the thread that calls, as one stream of one thread, but
  // without threads for it.
  ov::AnyMap Config() const {
    const bool on_callers = streams == 1 && threads == 1;
    ov::AnyMap config{ov::num_streams(ov::streams::Num(on_callers ? 0 : streams)),
                      ov::inference_num_threads(streams * threads), ov::hint::enable_cpu_pinning(false),
                      ov::hint::execution_mode(ov::hint::ExecutionMode::PERFORMANCE)};
    if (precision) config.insert(ov::hint::inference_precision(*precision));
    return config;
  }
  std::string Key() const {
    return std::to_string(streams) + " " + std::to_string(threads) + " " +
           (precision ? precision->to_string() : "auto");
  }
};

Plan PlanOf(const snug_engine& engine, const snug::kit::Options& options, const char* directory) {
  Plan plan;
  plan.threads = static_cast<int>(options.Integer("threads", 1, 1, kThreadsMax));
  int instances = static_cast<int>(options.Integer("instances", 1, 1, kThreadsMax));
  int streams = static_cast<int>(options.Integer("streams", 0, 1, kThreadsMax));
  plan.precision =
      PrecisionFor(engine, options.Choice("precision", "f32", {"f32", "bf16", "f16", "auto"}), plan.note);
  if (streams == 0 && plan.threads == 1 && instances <= kCopiesMax &&
      FileBytes(directory) <= kSmallModelBytes) {
    plan.copies = instances;
  } else {
    plan.streams = streams == 0 ? instances : streams;
  }
  return plan;
}

void Load(snug_engine& engine, const char* directory, const char* options_json, snug_model& model) {
  snug::kit::Options options(options_json, {"threads", "instances", "streams", "precision", "share"});
  auto files = snug::openvino::FindModel(directory);
  if (files.format == Format::kNone) throw Failure(SNUG_INVALID_ARGUMENT, files.problem);
  const Plan plan = PlanOf(engine, options, directory);
  model.threads = plan.threads;

  uint64_t before = snug::kit::PrivateBytes();
  const ov::AnyMap config = plan.Config();
  auto compile = [&](snug::openvino::CompiledModels::Shared& made) { Compile(engine, files, config, made); };
  const bool shares = options.Boolean("share", true);
  const std::string key = shares ? snug::kit::DirectoryDigest(directory) + " " + plan.Key() : "";
  bool all_were_there = shares;
  for (int c = 0; c < plan.copies; ++c) {
    bool was_there = false;
    if (shares) {
      model.copies.push_back(engine.compiled.Get(key + " " + std::to_string(c), compile, &was_there));
    } else {
      model.copies.push_back(std::make_shared<snug::openvino::CompiledModels::Shared>());
      compile(*model.copies.back());
    }
    all_were_there = all_were_there && was_there;
  }
  model.mapped = MappedFile(engine, files);
  for (const auto& port : model.compiled().inputs()) AddSpec(model.inputs, port);
  for (const auto& port : model.compiled().outputs()) AddSpec(model.outputs, port);
  uint64_t after = snug::kit::PrivateBytes();
  model.memory_bytes = after > before ? after - before : 0;
  model.description = Describe(model, plan.note, plan.streams) + (all_were_there ? ", weights shared" : "");
  engine.loaded_ms.store(MillisecondsNow(), std::memory_order_relaxed);
}

ov::Tensor InputTensor(const ov::Output<const ov::Node>& port, const snug_tensor& input) {
  ov::Shape shape(input.dims, input.dims + input.rank);
  return ov::Tensor(port.get_element_type(), shape, const_cast<void*>(input.data));
}

void BindInput(snug_instance& instance, size_t i, const snug_tensor& input) {
  if (input.bytes == 0 || input.bytes > kHeldBytesMax) {
    instance.holds[i] = false;
    instance.request.set_input_tensor(i, InputTensor(instance.input_ports[i], input));
    return;
  }
  ov::Tensor& held = instance.held[i];
  const ov::Shape shape(input.dims, input.dims + input.rank);
  if (!held || held.get_shape() != shape) {
    held = ov::Tensor(instance.input_ports[i].get_element_type(), shape);
    instance.holds[i] = false;
  }
  std::memcpy(held.data(), input.data, input.bytes);
  if (instance.holds[i]) return;
  instance.request.set_input_tensor(i, held);
  instance.holds[i] = true;
}

void* Allocate(const snug_output_sink* sink, size_t index, snug_dtype dtype, const ov::Shape& shape,
               uint64_t bytes) {
  const std::vector<int64_t> dims(shape.begin(), shape.end());
  return snug::kit::Allocate(*sink, index, dtype, dims, bytes);
}

// Before the run: outputs of fixed shape are written straight where the host wants them.
void BindOutputs(snug_instance& instance, const uint8_t* wanted, const snug_output_sink* sink) {
  const auto& ports = instance.output_ports;
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].get_partial_shape().is_dynamic()) continue;
    ov::Shape shape = ports[i].get_shape();
    ov::element::Type type = ports[i].get_element_type();
    if (wanted[i] == 0) {
      if (!instance.unwanted[i]) instance.unwanted[i] = ov::Tensor(type, shape);
      instance.request.set_output_tensor(i, instance.unwanted[i]);
      continue;
    }
    uint64_t bytes = ov::shape_size(shape) * type.size();
    snug_dtype dtype = instance.model->outputs.specs()[i].dtype;
    instance.request.set_output_tensor(i, ov::Tensor(type, shape, Allocate(sink, i, dtype, shape, bytes)));
  }
}

// After the run: the others are copied, now that their shape is known.
void CopyOutputs(snug_instance& instance, const uint8_t* wanted, const snug_output_sink* sink) {
  const auto& specs = instance.model->outputs.specs();
  for (size_t i = 0; i < specs.size(); ++i) {
    if (wanted[i] == 0 || snug::kit::IsStatic(instance.model->outputs.dims(i))) continue;
    ov::Tensor result = instance.request.get_output_tensor(i);
    void* memory = Allocate(sink, i, specs[i].dtype, result.get_shape(), result.get_byte_size());
    if (result.get_byte_size() > 0) std::memcpy(memory, std::as_const(result).data(), result.get_byte_size());
  }
}

snug_code CreateEngine(const snug_engine_config* config, snug_engine** engine, snug_error* error) {
  return Guard(error, SNUG_FAILED_PRECONDITION, [&] {
    snug::kit::Options options(config->options_json, {});
    auto made = std::make_unique<snug_engine>();
    if (config->cache_dir != nullptr) {
      std::filesystem::create_directories(config->cache_dir);
      made->cache_dir = std::filesystem::canonical(config->cache_dir);
      made->core.set_property(ov::cache_dir(made->cache_dir));
    }
    for (const std::string& capability : made->core.get_property("CPU", ov::device::capabilities)) {
      if (capability == "BF16") made->has_bf16 = true;
      if (capability == "FP16") made->has_f16 = true;
    }
    *engine = made.release();
  });
}

snug_code LoadModel(snug_engine* engine, const char* directory, const char* options_json, snug_model** model,
                    snug_error* error) {
  return Guard(error, SNUG_INVALID_ARGUMENT, [&] {
    auto made = std::make_unique<snug_model>();
    made->engine = engine;
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
  return Guard(error, SNUG_INTERNAL, [&] {
    auto made = std::make_unique<snug_instance>();
    made->model = model;
    size_t turn = model->instances_made.fetch_add(1, std::memory_order_relaxed) % model->copies.size();
    made->copy = model->copies[turn].get();
    made->request = made->copy->model->create_infer_request();
    made->input_ports = model->compiled().inputs();
    made->output_ports = model->compiled().outputs();
    made->held.resize(model->inputs.size());
    made->holds.resize(model->inputs.size());
    made->unwanted.resize(model->outputs.size());
    *instance = made.release();
  });
}

// Between executions alone; another instance's is refused by OpenVINO, and will do this itself.
void ReleaseTensors(snug::openvino::CompiledModels::Shared& copy) {
  try {
    copy.model->release_memory();
  } catch (const ov::Exception&) {
  }
}

// Once after the last of several loads; Trim does it where all models idle.
void ForgetLoadsCode(snug_engine& engine) {
  int64_t loaded = engine.loaded_ms.load(std::memory_order_relaxed);
  if (loaded == 0 || MillisecondsNow() - loaded < kSharedIdleMilliseconds) return;
  if (engine.loaded_ms.compare_exchange_strong(loaded, 0)) snug::openvino::ForgetCode();
}

snug_code Execute(snug_instance* instance, const snug_tensor* inputs, uint32_t input_count,
                  const uint8_t* wanted, uint32_t, const snug_output_sink* sink, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    for (uint32_t i = 0; i < input_count; ++i) BindInput(*instance, i, inputs[i]);
    BindOutputs(*instance, wanted, sink);
    std::atomic<int64_t>& executed_ms = instance->copy->executed_ms;
    const int64_t begin = MillisecondsNow();
    const bool is_seldom =
        begin - executed_ms.exchange(begin, std::memory_order_relaxed) > kTensorsKeptMilliseconds;
    instance->request.infer();
    CopyOutputs(*instance, wanted, sink);
    executed_ms.store(MillisecondsNow(), std::memory_order_relaxed);
    if (!is_seldom) return;
    ReleaseTensors(*instance->copy);
    ForgetLoadsCode(*instance->model->engine);
  });
}

// Whether nobody else has, or lately had, a use for it.
bool IsOurs(const std::shared_ptr<snug::openvino::CompiledModels::Shared>& copy, int64_t idle_since) {
  return copy.use_count() == 1 || copy->executed_ms.load(std::memory_order_relaxed) <= idle_since;
}

snug_code Trim(snug_model* model, int32_t, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    if (!model->mapped.empty()) snug::openvino::ForgetPagesOf(model->mapped);
    const int64_t idle_since = MillisecondsNow() - kSharedIdleMilliseconds;
    bool all_idle = true;
    for (const auto& copy : model->copies) {
      if (copy->weights) copy->weights->Forget();
      bool is_ours = IsOurs(copy, idle_since);
      if (is_ours) ReleaseTensors(*copy);
      all_idle = all_idle && is_ours;
    }
    // Its executions bring back what they need of the code; others should not have to.
    if (!all_idle || model->engine->compiled.OthersExecutedAfter(idle_since, model->copies)) return;
    model->engine->loaded_ms.store(0, std::memory_order_relaxed);
    snug::openvino::ForgetCode();
  });
}

int32_t Recognises(const char* directory) {
  try {
    Format format = snug::openvino::FindModel(directory).format;
    return format == Format::kIr || format == Format::kOnnx ? 2 : format == Format::kSavedModel ? 1 : 0;
  } catch (...) {
    return 0;
  }
}

}  // namespace

extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t host_abi_version) {
  static const std::string version = Version();
  static const snug_engine_api api = {
      .struct_size = sizeof(snug_engine_api),
      .abi_version = SNUG_ENGINE_ABI_VERSION,
      .name = "openvino",
      .version = version.c_str(),
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
      .create_signature_instance = nullptr,
      .execute_stream = nullptr,
      .trim = &Trim,
  };
  return host_abi_version == SNUG_ENGINE_ABI_VERSION ? &api : nullptr;
}
