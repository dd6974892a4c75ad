// Python models: a directory with a model.py is a model. Each instance has a process of its own
// (snug_worker.py) that this plug-in starts, feeds through shared memory, kills when it hangs, and starts
// again when it died.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/whole_number.h"
#include "engine.h"
#include "engine/backoff.h"
#include "engine/shared_memory.h"
#include "engines/kit/kit.h"
#include "engines/python/worker.h"
#include "os/process.h"

using nlohmann::json;
using snug::Result;
using snug::SystemClock;
using snug::TimePoint;
using snug::engine::SharedMemory;
using snug::kit::Failure;
using snug::kit::Guard;
using snug::python::Answer;
using snug::python::LogFunction;
using snug::python::Worker;

namespace {

constexpr int64_t kTimeoutSecondsDefault = 300;
constexpr int64_t kLoadTimeoutSecondsDefault = 120;
constexpr int64_t kTimeoutSecondsMax = int64_t{24} * 3600;
constexpr uint64_t kInputBytesMax = uint64_t{1} << 30;  // of all inputs of one execution
constexpr int kTriesMax = 2;  // of an execution whose worker died: one more, on a new worker

}  // namespace

struct snug_engine {
  LogFunction log = nullptr;
};

struct snug_model {
  snug::python::WorkerOptions worker_options;
  json load_message;
  json declared;          // inputs and outputs as the first worker told them
  bool stateful = false;  // a new worker does not know what the last one did
  snug::Duration timeout{};
  snug::Duration load_timeout{};
  std::unique_ptr<Worker> spare;  // the one that told; the first instance takes it
  snug::kit::SpecList inputs;
  snug::kit::SpecList outputs;
  bool decoupled = false;
  uint64_t memory_bytes = 0;
  std::string description;
};

struct snug_instance {
  const snug_model* model = nullptr;
  std::unique_ptr<Worker> worker;  // null after a death, until an execution starts another
  snug::engine::Backoff backoff;
  TimePoint start_again_at{};
  std::string why_down;
  std::shared_ptr<SharedMemory> input_region;
  bool input_announced = false;                 // to the worker that runs now
  std::shared_ptr<SharedMemory> output_region;  // the worker's
};

namespace {

namespace fs = std::filesystem;

[[noreturn]] void Throw(const snug::Status& status) {
  throw Failure(static_cast<snug_code>(status.code()), status.text());
}

// What the worker answered: its body, or its error thrown.
const json& Checked(const json& body) {
  auto code = body.value("code", static_cast<int32_t>(SNUG_INTERNAL));
  if (code == SNUG_OK) return body;
  throw Failure(code, body.value("text", std::string("the Python worker gave no reason")));
}

// "ocr/3" of "/srv/models/ocr/3".
std::string LabelOf(const fs::path& directory) {
  return (directory.parent_path().filename() / directory.filename()).string();
}

std::string WorkerScript() {
  return snug::kit::PluginDirectory() + "/python/snug_worker.py";
}

bool Executable(const fs::path& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

// The first that is named wins: engine_options, a `venv` folder beside model.py or beside the versions,
// SNUG_PYTHON, what Snug was built with, the system's. Relative paths start at the version's directory.
std::string Interpreter(const snug::kit::Options& options, const fs::path& directory) {
  std::string named = options.Text("python", "");
  std::string venv = options.Text("venv", "");
  if (!venv.empty()) named = fs::path(venv) / "bin" / "python";
  if (!named.empty()) {
    fs::path path = directory / named;
    if (Executable(path)) return path.string();
    throw Failure(SNUG_FAILED_PRECONDITION,
                  "the Python interpreter " + path.string() + " cannot be executed");
  }
  for (const fs::path& place : {directory / "venv", directory.parent_path() / "venv"}) {
    if (Executable(place / "bin" / "python")) return (place / "bin" / "python").string();
  }
  if (const char* python = std::getenv("SNUG_PYTHON"); python != nullptr && *python != '\0') return python;
  if (Executable(SNUG_PYTHON_DEFAULT)) return SNUG_PYTHON_DEFAULT;
  return "/usr/bin/python3";
}

std::unique_ptr<Worker> StartWorker(const snug_model& model, json& declared) {
  auto worker = std::make_unique<Worker>(model.worker_options);
  auto answer = worker->Ask(model.load_message, -1, model.load_timeout);
  if (answer.status().code() == snug::Code::kDeadlineExceeded) {
    throw Failure(SNUG_DEADLINE_EXCEEDED,
                  fmt::format("load of {} took longer than load_timeout_s = {:.0f}",
                              model.worker_options.label, snug::Seconds(model.load_timeout)));
  }
  if (!answer.ok()) {  // the death of a process that loads is no passing thing
    throw Failure(SNUG_FAILED_PRECONDITION, answer.status().text() + " while it loaded the model");
  }
  declared = Checked(answer->body);
  return worker;
}

void AddSpecs(const json& list, snug::kit::SpecList& specs) {
  for (const json& spec : list) {
    specs.Add(spec.at(0).get<std::string>(), spec.at(1).get<snug_dtype>(),
              spec.at(2).get<std::vector<int64_t>>());
  }
}

snug::Duration SecondsOption(const snug::kit::Options& options, const char* name, int64_t otherwise) {
  return std::chrono::seconds(options.Integer(name, otherwise, 1, kTimeoutSecondsMax));
}

void Load(LogFunction log, const fs::path& directory, const char* options_json, snug_model& model) {
  snug::kit::Options options(options_json, {"threads", "instances", "python", "venv", "class", "inputs",
                                            "outputs", "options", "timeout_s", "load_timeout_s", "stateful"});
  if (!fs::exists(directory / "model.py")) {
    throw Failure(SNUG_INVALID_ARGUMENT, directory.string() + " holds no model.py");
  }
  const auto threads = static_cast<int>(options.Integer("threads", 1, 1, 1 << 16));
  const auto instances = options.Integer("instances", 1, 1, 1 << 16);
  model.stateful = options.Boolean("stateful", false);
  model.timeout = SecondsOption(options, "timeout_s", kTimeoutSecondsDefault);
  model.load_timeout = SecondsOption(options, "load_timeout_s", kLoadTimeoutSecondsDefault);
  model.worker_options = {Interpreter(options, directory), WorkerScript(), LabelOf(directory), threads, log};
  model.load_message = {{"op", "load"},
                        {"directory", directory.string()},
                        {"class", options.Text("class", "")},
                        {"inputs", json::parse(options.Object("inputs"))},
                        {"outputs", json::parse(options.Object("outputs"))},
                        {"options", json::parse(options.Object("options"))}};
  model.spare = StartWorker(model, model.declared);
  AddSpecs(model.declared.at("inputs"), model.inputs);
  AddSpecs(model.declared.at("outputs"), model.outputs);
  model.decoupled = model.declared.at("decoupled").get<bool>();
  model.memory_bytes = snug::os::PrivateBytes(model.spare->pid()) * static_cast<uint64_t>(instances);
  model.description = fmt::format("Python {} with numpy {}, {} process{} x {} thread{}",
                                  model.declared.at("python").get<std::string>(),
                                  model.declared.at("numpy").get<std::string>(), instances,
                                  instances == 1 ? "" : "es", threads, threads == 1 ? "" : "s");
}

// Forgets a worker that died or hung; the next one may start after the back-off.
void Abandon(snug_instance& instance, const snug::Status& why) {
  snug::Duration uptime = SystemClock().Now() - instance.worker->started();
  instance.worker.reset();
  instance.start_again_at = SystemClock().Now() + instance.backoff.Next(uptime);
  instance.why_down = why.text();
  instance.model->worker_options.log(3, (why.text() + "; it is being restarted").c_str());
}

void EnsureWorker(snug_instance& instance) {
  if (instance.worker != nullptr) return;
  if (SystemClock().Now() < instance.start_again_at) {
    throw Failure(SNUG_UNAVAILABLE, instance.why_down + "; it is being restarted");
  }
  json declared;
  try {
    instance.worker = StartWorker(*instance.model, declared);
  } catch (const Failure& e) {
    instance.start_again_at = SystemClock().Now() + instance.backoff.Next({});
    instance.why_down = fmt::format("the Python worker of {} cannot be restarted: {}",
                                    instance.model->worker_options.label, e.what());
    throw Failure(SNUG_UNAVAILABLE, instance.why_down);
  }
  instance.input_announced = false;
  instance.output_region.reset();
  if (declared == instance.model->declared) return;
  instance.worker.reset();
  throw Failure(SNUG_FAILED_PRECONDITION,
                "the model's files have changed: its inputs or outputs are others now");
}

// Puts the inputs into the shared region; a table of where they lie.
json WriteInputs(snug_instance& instance, const snug_tensor* inputs, uint32_t count) {
  json table = json::array();
  uint64_t total = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (inputs[i].bytes > kInputBytesMax - total) {
      throw Failure(SNUG_RESOURCE_EXHAUSTED,
                    fmt::format("the inputs exceed the limit of {} bytes", kInputBytesMax));
    }
    table.push_back({inputs[i].dtype, std::vector<int64_t>(inputs[i].dims, inputs[i].dims + inputs[i].rank),
                     total, inputs[i].bytes});
    total = std::min(total + snug::engine::AlignShared(inputs[i].bytes), kInputBytesMax);
  }
  if (instance.input_region == nullptr || instance.input_region->size() < total) {
    auto region = SharedMemory::Create(snug::engine::RegionBytes(total));
    if (!region.ok()) Throw(region.status());
    instance.input_region = *region;
    instance.input_announced = false;
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (inputs[i].bytes == 0) continue;
    std::memcpy(instance.input_region->data() + table[i][2].get<uint64_t>(), inputs[i].data, inputs[i].bytes);
  }
  return table;
}

// Sink: snug_output_sink or snug_stream_sink.
template <typename Sink>
void WriteOutput(const snug_instance& instance, const json& tensor, uint32_t index, const Sink& sink) {
  const auto dims = snug::WholeNumbers<int64_t>(tensor.at(1));
  const auto offset = snug::WholeNumber<uint64_t>(tensor.at(2));
  const auto bytes = snug::WholeNumber<uint64_t>(tensor.at(3));
  if (instance.output_region == nullptr || !instance.output_region->Contains(offset, bytes)) {
    throw Failure(SNUG_INTERNAL, fmt::format("output {} lies outside of the Python worker's region", index));
  }
  void* memory = snug::kit::Allocate(sink, index, snug::WholeNumber<snug_dtype>(tensor.at(0)), dims, bytes);
  if (bytes > 0) std::memcpy(memory, instance.output_region->data() + offset, bytes);
}

template <typename Sink>
void TakeOutputs(snug_instance& instance, Answer& answer, const Sink& sink) {
  const json& body = Checked(answer.body);
  if (answer.region.valid()) {
    auto region = SharedMemory::Map(std::move(answer.region));
    if (!region.ok()) Throw(region.status());
    instance.output_region = *region;
  }
  const json& outputs = body.at("outputs");
  for (uint32_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].is_null()) WriteOutput(instance, outputs[i], i, sink);
  }
}

// UNAVAILABLE: the worker died.
Result<Answer> Ask(snug_instance& instance, const json& message, int region) {
  auto answer = instance.worker->Ask(message, region, instance.model->timeout);
  if (answer.ok()) return answer;
  snug::Status why = answer.status();
  if (why.code() == snug::Code::kDeadlineExceeded) {
    why = snug::Error(why.code(),
                      "predict of {} took longer than timeout_s = {:.0f}: its Python worker was killed",
                      instance.model->worker_options.label, snug::Seconds(instance.model->timeout));
  }
  Abandon(instance, why);
  return why;
}

// One try.
Result<Answer> AskWorker(snug_instance& instance, const json& inputs, const std::vector<uint8_t>& wanted) {
  EnsureWorker(instance);
  const int region = instance.input_announced ? -1 : instance.input_region->fd();
  auto answer = Ask(instance, {{"op", "predict"}, {"inputs", inputs}, {"wanted", wanted}}, region);
  instance.input_announced = instance.input_announced || answer.ok();
  return answer;
}

// The answer of predict, or its first part.
Answer Run(snug_instance& instance, const snug_tensor* inputs, uint32_t input_count,
           const std::vector<uint8_t>& wanted) {
  const json table = WriteInputs(instance, inputs, input_count);
  for (int tried = 1;; ++tried) {
    auto answer = AskWorker(instance, table, wanted);
    if (answer.ok()) return *std::move(answer);
    const bool again = answer.status().code() == snug::Code::kUnavailable && !instance.model->stateful;
    if (!again || tried == kTriesMax) Throw(answer.status());
    instance.start_again_at = {};  // at once: the back-off is for those that keep dying
  }
}

// The worker writes the next part when it is asked for it: they share the region.
void PassParts(snug_instance& instance, Answer part, const snug_stream_sink& sink) {
  while (Checked(part.body).at("part").get<bool>()) {
    TakeOutputs(instance, part, sink);
    const bool more = sink.send(sink.context) != 0;
    auto next = Ask(instance, {{"op", more ? "next" : "stop"}}, -1);
    if (!next.ok()) Throw(next.status());
    if (!more) throw Failure(SNUG_CANCELLED, "no further answers are wanted");
    part = *std::move(next);
  }
}

snug_code CreateEngine(const snug_engine_config* config, snug_engine** engine, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    snug::kit::Options options(config->options_json, {});
    *engine = new snug_engine{config->log};
  });
}

snug_code LoadModel(snug_engine* engine, const char* directory, const char* options_json, snug_model** model,
                    snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    auto made = std::make_unique<snug_model>();
    fs::path path = fs::absolute(directory).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    Load(engine->log, path, options_json, *made);
    *model = made.release();
  });
}

snug_code DescribeModel(snug_model* model, snug_model_info* info, snug_error*) {
  snug::kit::Describe(model->inputs, model->outputs, model->memory_bytes, model->worker_options.threads,
                      model->description, info);
  const bool knows = info->struct_size >= offsetof(snug_model_info, decoupled) + sizeof info->decoupled;
  if (knows) info->decoupled = model->decoupled ? 1 : 0;
  return SNUG_OK;
}

snug_code CreateInstance(snug_model* model, snug_instance** instance, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    auto made = std::make_unique<snug_instance>();
    made->model = model;
    made->worker = std::move(model->spare);
    EnsureWorker(*made);
    *instance = made.release();
  });
}

snug_code Execute(snug_instance* instance, const snug_tensor* inputs, uint32_t input_count,
                  const uint8_t* wanted, uint32_t output_count, const snug_output_sink* sink,
                  snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    Answer answer = Run(*instance, inputs, input_count, std::vector<uint8_t>(wanted, wanted + output_count));
    TakeOutputs(*instance, answer, *sink);
  });
}

snug_code ExecuteStream(snug_instance* instance, const snug_tensor* inputs, uint32_t input_count,
                        const uint8_t* wanted, uint32_t output_count, const snug_stream_sink* sink,
                        snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    std::vector<uint8_t> choice(wanted, wanted + output_count);
    PassParts(*instance, Run(*instance, inputs, input_count, choice), *sink);
  });
}

int32_t Recognises(const char* directory) {
  return std::ifstream(std::string(directory) + "/model.py").good() ? 2 : 0;
}

}  // namespace

extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t host_abi_version) {
  static const snug_engine_api api = {
      .struct_size = sizeof(snug_engine_api),
      .abi_version = SNUG_ENGINE_ABI_VERSION,
      .name = "python",
      .version = "1",
      .create = &CreateEngine,
      .destroy = [](snug_engine* engine) { delete engine; },
      .load = &LoadModel,
      .unload = [](snug_model* model) { delete model; },
      .describe = &DescribeModel,
      .create_instance = &CreateInstance,
      .destroy_instance = [](snug_instance* instance) { delete instance; },
      .execute = &Execute,
      .recognises = &Recognises,
      .prefers_process = 0,  // its workers are processes already
      .create_signature_instance = nullptr,
      .execute_stream = &ExecuteStream,
  };
  return host_abi_version == SNUG_ENGINE_ABI_VERSION ? &api : nullptr;
}
