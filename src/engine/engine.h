// The host's side of api/engine.h: loads engine plug-ins, in this process or in a child process behind shared
// memory, and checks all that they report. Whatever a plug-in does wrong (missing symbol, wrong version,
// rubbish shapes, a crash in a child) comes back as a Status.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::engine {

// A further way to call a model, with tensors of its own.
struct Signature {
  std::string name;
  std::string method;  // TensorFlow's method name, or empty
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};

struct ModelInfo {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  uint64_t memory_bytes = 0;     // given back by unload; 0 if the engine cannot tell
  bool batch_is_free = false;    // the first dimension of every input and output is a free batch dimension
  int threads_per_instance = 1;  // that one Execute may keep busy
  std::string description;       // one line for people: library, version, precision, streams
  std::string signature;         // what inputs and outputs are called; empty: nothing
  std::string method;            // of it, as Signature's
  std::vector<Signature> signatures = {};  // beside that one
  bool only_computes = false;              // in this process: an Execute waits for nothing but the CPU
  bool decoupled = false;                  // gives any number of answers: ExecuteStream instead of Execute
};

// Takes one answer of several: all wanted outputs, in the model's order. May block. False: no more is wanted.
using AnswerSink = std::function<bool(std::vector<Tensor>)>;

// An execution context. One Execute at a time; instances of one model run in parallel.
class Instance {
 public:
  virtual ~Instance() = default;
  // `inputs`: all inputs of the model, in its order, checked by the caller with
  // CheckTensorSpec/CheckTensorBytes. `wanted[i]` != 0 asks for output i; empty means all. The result holds
  // the wanted outputs, in the model's order. UNAVAILABLE when the engine's process died (it is being
  // restarted: the caller may try again), else the engine's own code and text.
  virtual Result<std::vector<Tensor>> Execute(std::span<const TensorView> inputs,
                                              std::span<const uint8_t> wanted) = 0;
  // The same for a decoupled model; returns after the last answer. CANCELLED when `sink` wanted no more.
  virtual Status ExecuteStream(std::span<const TensorView> /*inputs*/, std::span<const uint8_t> /*wanted*/,
                               const AnswerSink& /*sink*/) {
    return Status(Code::kUnimplemented, "the model gives exactly one answer");
  }
};

// A loaded version. Destroyed after its instances; gives its memory back then.
class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelInfo& info() const = 0;
  virtual Result<std::unique_ptr<Instance>> CreateInstance() = 0;
  // Of one of info().signatures: executes what InfoOfSignature shows.
  virtual Result<std::unique_ptr<Instance>> CreateSignatureInstance(const std::string& signature) {
    return NotFound("the model has no signature \"{}\"", signature);
  }
  // Gives memory back that it can make anew: what executions of shapes that it has seen do without, and with
  // `idle` also what the next execution would have to make again. At any time, one call at a time.
  virtual void Trim(bool /*idle*/) {}
  // The process that executes the model when that is not this one, else 0. For metrics and tests.
  virtual int64_t process_id() const { return 0; }
};

// Unless told otherwise: an execution in a process of its own that takes longer is taken for hung.
constexpr int kExecutionSecondsDefault = 300;

enum class Isolation {
  kDefault,    // what the engine prefers: TensorFlow in a process, others in this one
  kInProcess,  // in this process
  kProcess,    // in a child process of its own
};

struct LoadRequest {
  std::string engine;               // "openvino"; "auto": the first engine that recognises the directory
  std::string directory;            // of the model's version
  std::string options_json = "{}";  // the model's options for the engine, e.g. {"precision":"bf16"}
  int threads = 1;                  // the most that one Execute may use
  int instances = 1;                // that will execute at the same time: engines size their streams by it
  Isolation isolation = Isolation::kDefault;
  std::string cache_dir;  // for compiled models; empty: none
  // For a model in a process of its own: after an execution of so long the process is killed and started
  // again.
  int execution_seconds_max = kExecutionSecondsDefault;
};

struct HostOptions {
  std::vector<std::string> plugin_dirs;           // searched for <name>.so, first hit wins
  std::string engine_program;                     // path of snug-engine, for isolation in a process
  int threads = 1;                                // budget of the whole process, from the cgroup
  uint64_t output_bytes_max = uint64_t{1} << 30;  // of all outputs of one Execute
};

// Thread-safe. Keeps each plug-in loaded for the life of the process (libraries such as TensorFlow do not
// survive dlclose).
class EngineHost {
 public:
  static std::unique_ptr<EngineHost> Create(HostOptions options);
  virtual ~EngineHost() = default;

  // Blocks until loaded. NOT_FOUND: no such engine (the text lists those there are) or no engine recognises
  // the files; FAILED_PRECONDITION: the plug-in breaks the contract.
  virtual Result<std::unique_ptr<Model>> Load(const LoadRequest& request) = 0;
  // Names of the plug-ins found, sorted.
  virtual std::vector<std::string> Engines() const = 0;
  // The engine that "auto" would take for these files.
  virtual Result<std::string> Recognise(const std::string& directory) const = 0;
};

}  // namespace snug::engine
