// TensorFlow through its C API: SavedModels. One session a version, shared by its instances (TF_SessionRun is
// thread-safe and keeps nothing between runs); an instance is just the right to run.
#include <algorithm>
#include <cstddef>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine.h"
#include "engines/kit/kit.h"
#include "engines/tensorflow/library.h"
#include "engines/tensorflow/signature.h"
#include "engines/tensorflow/tensors.h"

using snug::kit::Failure;
using snug::kit::Guard;
using snug::tensorflow::Api;
using snug::tensorflow::Signature;
using snug::tensorflow::TensorInfo;

struct snug_engine {};

// What one signature calls: the tensors by its names, and where they are in the graph.
struct SignatureCall {
  std::string method;
  snug::kit::SpecList inputs;
  snug::kit::SpecList outputs;
  std::vector<TF_Output> input_ports;
  std::vector<TF_Output> output_ports;
};

struct snug_model {
  const Api* api = nullptr;
  TF_Graph* graph = nullptr;
  TF_Session* session = nullptr;
  std::string signature;  // the one that callers get who name none
  SignatureCall call;     // of that one
  std::map<std::string, SignatureCall> further;
  std::vector<snug_signature> report;  // of `further`
  uint64_t memory_bytes = 0;
  int threads = 1;
  std::string description;
};

struct snug_instance {
  const snug_model* model = nullptr;
  const SignatureCall* call = nullptr;
};

namespace {

constexpr int kThreadsMax = 127;  // one byte as a varint
// Signatures reported beside the default one; a SavedModel with more is served by the first of them.
constexpr size_t kFurtherSignaturesMax = 32;
constexpr const char* kInitSignature = "__saved_model_init_op";

// A TF_Status that throws what it holds.
class TfStatus {
 public:
  explicit TfStatus(const Api& api) : api_(api), status_(api.TF_NewStatus()) {}
  ~TfStatus() { api_.TF_DeleteStatus(status_); }
  TfStatus(const TfStatus&) = delete;
  TfStatus& operator=(const TfStatus&) = delete;
  operator TF_Status*() { return status_; }
  void Check(const std::string& step) const {
    TF_Code code = api_.TF_GetCode(status_);  // the same numbers as gRPC's
    if (code != TF_OK) throw Failure(static_cast<snug_code>(code), step + ": " + api_.TF_Message(status_));
  }

 private:
  const Api& api_;
  TF_Status* const status_;
};

// tensorflow.ConfigProto: intra_op_parallelism_threads = threads, inter_op_parallelism_threads = 1,
// use_per_session_threads. Left out, TensorFlow would take the machine's cores.
std::string SessionConfig(int threads) {
  return {0x10, static_cast<char>(threads), 0x28, 1, 0x48, 1};
}

void OpenSession(const char* directory, snug_model& model, std::string& meta_graph) {
  const Api& api = *model.api;
  TfStatus status(api);
  std::unique_ptr<TF_SessionOptions, decltype(api.TF_DeleteSessionOptions)> options(
      api.TF_NewSessionOptions(), api.TF_DeleteSessionOptions);
  std::string config = SessionConfig(model.threads);
  api.TF_SetConfig(options.get(), config.data(), config.size(), status);
  status.Check("session options");
  std::unique_ptr<TF_Buffer, decltype(api.TF_DeleteBuffer)> meta(api.TF_NewBuffer(), api.TF_DeleteBuffer);
  const char* tags[] = {"serve"};
  model.graph = api.TF_NewGraph();
  model.session = api.TF_LoadSessionFromSavedModel(options.get(), nullptr, directory, tags, 1, model.graph,
                                                   meta.get(), status);
  status.Check("load SavedModel");
  meta_graph.assign(static_cast<const char*>(meta->data), meta->length);
}

const Signature& ChooseSignature(const std::map<std::string, Signature>& signatures,
                                 const std::string& name) {
  auto found = signatures.find(name);
  if (found != signatures.end()) return found->second;
  std::string known;
  for (const auto& [key, signature] : signatures) {
    if (key != kInitSignature) known += (known.empty() ? "" : ", ") + key;
  }
  throw Failure(SNUG_INVALID_ARGUMENT, "the SavedModel has no signature \"" + name + "\"; it has: " + known);
}

// "StatefulPartitionedCall:1" → the operation's output 1.
TF_Output PortOf(const snug_model& model, const std::string& name, const TensorInfo& info) {
  size_t colon = info.tensor.rfind(':');
  std::string operation = info.tensor.substr(0, colon);
  int index = colon == std::string::npos ? 0 : std::atoi(info.tensor.c_str() + colon + 1);
  TF_Output port{model.api->TF_GraphOperationByName(model.graph, operation.c_str()), index};
  if (port.oper != nullptr && index >= 0 && index < model.api->TF_OperationNumOutputs(port.oper)) return port;
  throw Failure(SNUG_INVALID_ARGUMENT,
                "tensor \"" + name + "\" of the signature is \"" + info.tensor +
                    "\", which the graph does not have (sparse tensors are not served)");
}

void AddTensors(const snug_model& model, const std::map<std::string, TensorInfo>& tensors,
                snug::kit::SpecList& specs, std::vector<TF_Output>& ports) {
  for (const auto& [name, info] : tensors) {
    if (!info.rank_known) {
      throw Failure(SNUG_UNIMPLEMENTED, "the rank of tensor \"" + name +
                                            "\" is unknown: save the model with a signature of known ranks");
    }
    snug_dtype dtype = snug::tensorflow::ToSnug(info.dtype);
    if (dtype == 0) {
      throw Failure(SNUG_UNIMPLEMENTED, "tensor \"" + name + "\" has TensorFlow's type " +
                                            std::to_string(info.dtype) + ", which is not served");
    }
    ports.push_back(PortOf(model, name, info));
    specs.Add(name, dtype, info.dims);
  }
}

void AddCall(const snug_model& model, const Signature& signature, SignatureCall& call) {
  call.method = signature.method;
  AddTensors(model, signature.inputs, call.inputs, call.input_ports);
  AddTensors(model, signature.outputs, call.outputs, call.output_ports);
}

// The signatures beside the default one. What cannot be served of them is left out: the model is not worse
// for it.
void AddFurther(const std::map<std::string, Signature>& signatures, snug_model& model) {
  for (const auto& [name, signature] : signatures) {
    if (name == model.signature || name == kInitSignature || signature.outputs.empty()) continue;
    if (model.further.size() == kFurtherSignaturesMax) break;
    try {
      AddCall(model, signature, model.further[name]);
    } catch (const Failure&) {
      model.further.erase(name);
    }
  }
  for (const auto& [name, call] : model.further) {
    model.report.push_back({name.c_str(), call.method.c_str(), static_cast<uint32_t>(call.inputs.size()),
                            call.inputs.specs().data(), static_cast<uint32_t>(call.outputs.size()),
                            call.outputs.specs().data()});
  }
}

void Unload(snug_model* model) {
  if (model->session != nullptr) {
    TfStatus status(*model->api);
    model->api->TF_CloseSession(model->session, status);
    model->api->TF_DeleteSession(model->session, status);
  }
  if (model->graph != nullptr) model->api->TF_DeleteGraph(model->graph);
  delete model;
}

void Load(const char* directory, const char* options_json, snug_model& model) {
  snug::kit::Options options(options_json, {"threads", "instances", "onednn", "signature"});
  model.threads = static_cast<int>(options.Integer("threads", 1, 1, kThreadsMax));
  const bool onednn = options.Boolean("onednn", true);
  model.signature = options.Text("signature", "serving_default");
  if (!std::ifstream(std::string(directory) + "/saved_model.pb").good()) {
    throw Failure(SNUG_INVALID_ARGUMENT, std::string(directory) + " holds no saved_model.pb");
  }
  model.api = &snug::tensorflow::OpenLibrary(onednn);
  uint64_t before = snug::kit::PrivateBytes();
  std::string meta_graph;
  OpenSession(directory, model, meta_graph);
  auto signatures = snug::tensorflow::ReadSignatures(meta_graph);
  AddCall(model, ChooseSignature(signatures, model.signature), model.call);
  AddFurther(signatures, model);
  uint64_t after = snug::kit::PrivateBytes();
  model.memory_bytes = after > before ? after - before : 0;
  model.description = std::string("TensorFlow ") + model.api->TF_Version() + " CPU, oneDNN " +
                      (onednn ? "on" : "off") + ", " + std::to_string(model.threads) + " thread" +
                      (model.threads == 1 ? "" : "s");
}

snug_code LoadModel(snug_engine*, const char* directory, const char* options_json, snug_model** model,
                    snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    std::unique_ptr<snug_model, decltype(&Unload)> made(new snug_model, &Unload);
    Load(directory, options_json, *made);
    *model = made.release();
  });
}

snug_code DescribeModel(snug_model* model, snug_model_info* info, snug_error*) {
  snug::kit::Describe(model->call.inputs, model->call.outputs, model->memory_bytes, model->threads,
                      model->description, info);
  // NOLINTNEXTLINE(bugprone-sizeof-expression): the member is a pointer
  if (info->struct_size < offsetof(snug_model_info, signatures) + sizeof info->signatures) return SNUG_OK;
  info->signature = model->signature.c_str();
  info->method = model->call.method.c_str();
  info->signature_count = static_cast<uint32_t>(model->report.size());
  info->signatures = model->report.data();
  return SNUG_OK;
}

// Results that nobody has taken over yet.
struct Results {
  const Api& api;
  std::vector<TF_Tensor*> tensors;
  ~Results() {
    for (TF_Tensor* tensor : tensors) {
      if (tensor != nullptr) snug::tensorflow::TensorDeleter{&api}(tensor);
    }
  }
};

void Run(const snug_model& model, const SignatureCall& call, const snug_tensor* inputs, uint32_t input_count,
         const uint8_t* wanted, const snug_output_sink& sink) {
  const Api& api = *model.api;
  std::vector<snug::tensorflow::TensorPtr> tensors;
  std::vector<TF_Tensor*> fed;
  for (uint32_t i = 0; i < input_count; ++i) {
    tensors.push_back(snug::tensorflow::MakeInput(api, inputs[i]));
    fed.push_back(tensors.back().get());
  }
  std::vector<TF_Output> fetched;
  std::vector<uint32_t> indices;
  for (uint32_t i = 0; i < call.output_ports.size(); ++i) {
    if (wanted[i] == 0) continue;
    fetched.push_back(call.output_ports[i]);
    indices.push_back(i);
  }
  Results results{api, std::vector<TF_Tensor*>(fetched.size())};
  TfStatus status(api);
  api.TF_SessionRun(model.session, nullptr, call.input_ports.data(), fed.data(), static_cast<int>(fed.size()),
                    fetched.data(), results.tensors.data(), static_cast<int>(fetched.size()), nullptr, 0,
                    nullptr, status);
  status.Check("run");
  for (size_t i = 0; i < indices.size(); ++i) {
    snug::tensorflow::WriteOutput(api, results.tensors[i], indices[i], sink);
  }
}

snug_code Execute(snug_instance* instance, const snug_tensor* inputs, uint32_t input_count,
                  const uint8_t* wanted, uint32_t, const snug_output_sink* sink, snug_error* error) {
  return Guard(error, SNUG_INTERNAL,
               [&] { Run(*instance->model, *instance->call, inputs, input_count, wanted, *sink); });
}

snug_code CreateEngine(const snug_engine_config* config, snug_engine** engine, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    snug::kit::Options options(config->options_json, {});
    *engine = new snug_engine;
  });
}

snug_code CreateInstance(snug_model* model, snug_instance** instance, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] { *instance = new snug_instance{model, &model->call}; });
}

snug_code CreateSignatureInstance(snug_model* model, const char* signature, snug_instance** instance,
                                  snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    auto found = model->further.find(signature);
    if (found == model->further.end())
      throw Failure(SNUG_NOT_FOUND, std::string("no signature \"") + signature + "\"");
    *instance = new snug_instance{model, &found->second};
  });
}

int32_t Recognises(const char* directory) {
  return std::ifstream(std::string(directory) + "/saved_model.pb").good() ? 2 : 0;
}

}  // namespace

extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t host_abi_version) {
  static const snug_engine_api api = {
      .struct_size = sizeof(snug_engine_api),
      .abi_version = SNUG_ENGINE_ABI_VERSION,
      .name = "tensorflow",
      .version = SNUG_TENSORFLOW_VERSION,
      .create = &CreateEngine,
      .destroy = [](snug_engine* engine) { delete engine; },
      .load = &LoadModel,
      .unload = &Unload,
      .describe = &DescribeModel,
      .create_instance = &CreateInstance,
      .destroy_instance = [](snug_instance* instance) { delete instance; },
      .execute = &Execute,
      .recognises = &Recognises,
      .prefers_process = 1,
      .create_signature_instance = &CreateSignatureInstance,
  };
  return host_abi_version == SNUG_ENGINE_ABI_VERSION ? &api : nullptr;
}
