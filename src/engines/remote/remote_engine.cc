// A model that another server executes: KServe v2 or TensorFlow Serving, over gRPC. Behind it, Snug's
// parsers, queue and batching work as for any model.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "engine.h"
#include "engines/kit/kit.h"
#include "engines/remote/channel.h"
#include "engines/remote/kserve.h"
#include "engines/remote/tfserving.h"

using snug::kit::Failure;
using snug::kit::Guard;
using snug::remote::AnswerTensor;
using snug::remote::Channel;
using snug::remote::ChannelOptions;
using snug::remote::Metadata;
namespace kserve = snug::remote::kserve;
namespace tfserving = snug::remote::tfserving;

struct snug_engine {};

struct snug_model {
  ChannelOptions channel;
  bool is_kserve = true;
  tfserving::ModelSpec remote;
  snug::Duration timeout{};
  snug::kit::SpecList inputs;
  snug::kit::SpecList outputs;
  std::vector<std::string> output_names;
  std::string description;
};

struct snug_instance {
  const snug_model* model = nullptr;
  Channel channel;
};

namespace {

constexpr int64_t kTimeoutMsDefault = 60'000;
constexpr int64_t kLoadTimeoutMsDefault = 10'000;  // a server that is starting is waited for
constexpr auto kLoadRetryDelay = std::chrono::milliseconds(250);
constexpr int64_t kTimeoutMsMax = int64_t{24} * 3600 * 1000;

// "host:port", with http://, grpc:// (plain), https:// or grpcs:// (TLS) before it.
void ReadUrl(const std::string& url, ChannelOptions& channel) {
  std::string rest = url;
  for (auto [scheme, tls] : {std::pair("http://", false), std::pair("grpc://", false),
                             std::pair("https://", true), std::pair("grpcs://", true)}) {
    if (url.rfind(scheme, 0) != 0) continue;
    rest = url.substr(std::strlen(scheme));
    channel.tls = tls;
  }
  auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::strchr(".-:[]_", c);
  };
  const size_t colon = rest.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == rest.size() ||
      !std::all_of(rest.begin(), rest.end(), allowed)) {
    throw Failure(SNUG_INVALID_ARGUMENT,
                  "engine option \"url\" must be the server's gRPC address, host:port, https:// before it "
                  "for TLS; got \"" +
                      url + "\"");
  }
  channel.host_port = rest;
}

// A PEM file's path; relative ones start at the version's directory. Files are tried here, since libcurl
// would not say which one is missing, and a load would wait for a server that is well.
std::string PemOption(const snug::kit::Options& options, const char* name,
                      const std::filesystem::path& directory, bool tls) {
  std::string path = options.Text(name, "");
  if (path.empty()) return path;
  const std::string option = std::string("engine option \"") + name + "\"";
  if (!tls)
    throw Failure(SNUG_INVALID_ARGUMENT, option + " is for TLS: write https:// before the host in \"url\"");
  path = (directory / path).string();
  if (!std::filesystem::is_regular_file(path) || !std::ifstream(path)) {
    throw Failure(SNUG_INVALID_ARGUMENT, option + " must be a PEM file; cannot read " + path);
  }
  return path;
}

Metadata AskMetadata(snug_model& model, snug::Duration patience) {
  Channel channel(model.channel);
  const char* method = model.is_kserve ? kserve::kMetadataMethod : tfserving::kMetadataMethod;
  const std::string request = model.is_kserve
                                  ? kserve::EncodeMetadataRequest(model.remote.model, model.remote.version)
                                  : tfserving::EncodeMetadataRequest(model.remote);
  const snug::TimePoint until = snug::SystemClock().Now() + patience;
  auto answer = channel.Call(method, request, model.timeout);
  while (answer.status().code() == snug::Code::kUnavailable && snug::SystemClock().Now() < until) {
    std::this_thread::sleep_for(kLoadRetryDelay);
    answer = channel.Call(method, request, model.timeout);
  }
  if (!answer.ok()) {
    throw Failure(static_cast<snug_code>(answer.status().code()),
                  "metadata of remote model \"" + model.remote.model + "\": " + answer.status().text());
  }
  return model.is_kserve ? kserve::DecodeMetadata(*answer) : tfserving::DecodeMetadata(*answer, model.remote);
}

void AddSpecs(const std::vector<snug::remote::TensorAbout>& tensors, snug::kit::SpecList& specs) {
  for (const auto& tensor : tensors) specs.Add(tensor.name, tensor.dtype, tensor.dims);
}

void Load(const char* directory, const char* options_json, snug_model& model) {
  snug::kit::Options options(
      options_json, {"threads", "instances", "url", "protocol", "model", "version", "signature", "timeout_ms",
                     "load_timeout_ms", "ca_file", "cert_file", "key_file", "inputs", "outputs"});
  ReadUrl(options.Text("url", ""), model.channel);
  const std::filesystem::path root = std::filesystem::absolute(directory).lexically_normal();
  model.channel.ca_file = PemOption(options, "ca_file", root, model.channel.tls);
  model.channel.cert_file = PemOption(options, "cert_file", root, model.channel.tls);
  model.channel.key_file = PemOption(options, "key_file", root, model.channel.tls);
  model.is_kserve = options.Choice("protocol", "kserve", {"kserve", "tfserving"}) == "kserve";
  // models/NAME/VERSION: the same name, unless told otherwise.
  model.remote.model = options.Text("model", root.parent_path().filename().string());
  model.remote.version = options.Text("version", "");
  model.remote.signature = options.Text("signature", "serving_default");
  model.timeout =
      std::chrono::milliseconds(options.Integer("timeout_ms", kTimeoutMsDefault, 1, kTimeoutMsMax));
  const auto patience =
      std::chrono::milliseconds(options.Integer("load_timeout_ms", kLoadTimeoutMsDefault, 1, kTimeoutMsMax));
  snug::kit::AddDeclared(options, "inputs", model.inputs);
  snug::kit::AddDeclared(options, "outputs", model.outputs);
  if (model.inputs.size() == 0 || model.outputs.size() == 0) {
    Metadata metadata = AskMetadata(model, patience);
    if (model.inputs.size() == 0) AddSpecs(metadata.inputs, model.inputs);
    if (model.outputs.size() == 0) AddSpecs(metadata.outputs, model.outputs);
  }
  if (model.inputs.size() == 0 || model.outputs.size() == 0) {
    throw Failure(SNUG_FAILED_PRECONDITION, "the server does not tell the inputs and outputs of \"" +
                                                model.remote.model +
                                                "\": declare them in engine_options (inputs, outputs)");
  }
  for (const auto& spec : model.outputs.specs()) model.output_names.emplace_back(spec.name);
  model.description = std::string("remote: ") + (model.is_kserve ? "KServe v2" : "TensorFlow Serving") +
                      " at " + model.channel.host_port + (model.channel.tls ? " over TLS" : "") + ", model " +
                      model.remote.model +
                      (model.remote.version.empty() ? "" : " version " + model.remote.version);
}

void WriteOutput(const AnswerTensor& tensor, uint32_t index, const snug_output_sink& sink) {
  const std::string_view data = tensor.data();
  void* memory = snug::kit::Allocate(sink, index, tensor.dtype, tensor.dims, data.size());
  if (!data.empty()) std::memcpy(memory, data.data(), data.size());
}

void Run(snug_instance& instance, const snug_tensor* inputs, uint32_t input_count, const uint8_t* wanted,
         const snug_output_sink& sink) {
  const snug_model& model = *instance.model;
  std::vector<std::string> names;
  for (size_t i = 0; i < model.output_names.size(); ++i) {
    if (wanted[i] != 0) names.push_back(model.output_names[i]);
  }
  auto answer = instance.channel.Call(
      model.is_kserve ? kserve::kInferMethod : tfserving::kPredictMethod,
      model.is_kserve
          ? kserve::EncodeInfer(model.remote.model, model.remote.version, inputs, input_count, names)
          : tfserving::EncodePredict(model.remote, inputs, input_count, names),
      model.timeout);
  if (!answer.ok()) {
    throw Failure(static_cast<snug_code>(answer.status().code()), "remote: " + answer.status().text());
  }
  const auto tensors = model.is_kserve ? kserve::DecodeInfer(*answer) : tfserving::DecodePredict(*answer);
  for (uint32_t i = 0; i < model.output_names.size(); ++i) {
    if (wanted[i] == 0) continue;
    auto found = std::find_if(tensors.begin(), tensors.end(), [&](const AnswerTensor& tensor) {
      return tensor.name == model.output_names[i];
    });
    if (found != tensors.end()) WriteOutput(*found, i, sink);
  }
}

snug_code CreateEngine(const snug_engine_config* config, snug_engine** engine, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    snug::kit::Options options(config->options_json, {});
    *engine = new snug_engine;
  });
}

snug_code LoadModel(snug_engine*, const char* directory, const char* options_json, snug_model** model,
                    snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] {
    auto made = std::make_unique<snug_model>();
    Load(directory, options_json, *made);
    *model = made.release();
  });
}

snug_code DescribeModel(snug_model* model, snug_model_info* info, snug_error*) {
  snug::kit::Describe(model->inputs, model->outputs, 0, 1, model->description, info);
  return SNUG_OK;
}

snug_code CreateInstance(snug_model* model, snug_instance** instance, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] { *instance = new snug_instance{model, Channel(model->channel)}; });
}

snug_code Execute(snug_instance* instance, const snug_tensor* inputs, uint32_t input_count,
                  const uint8_t* wanted, uint32_t, const snug_output_sink* sink, snug_error* error) {
  return Guard(error, SNUG_INTERNAL, [&] { Run(*instance, inputs, input_count, wanted, *sink); });
}

}  // namespace

extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t host_abi_version) {
  static const snug_engine_api api = {
      .struct_size = sizeof(snug_engine_api),
      .abi_version = SNUG_ENGINE_ABI_VERSION,
      .name = "remote",
      .version = "1",
      .create = &CreateEngine,
      .destroy = [](snug_engine* engine) { delete engine; },
      .load = &LoadModel,
      .unload = [](snug_model* model) { delete model; },
      .describe = &DescribeModel,
      .create_instance = &CreateInstance,
      .destroy_instance = [](snug_instance* instance) { delete instance; },
      .execute = &Execute,
      .recognises = nullptr,  // only by name: its files are elsewhere
      .prefers_process = 0,
  };
  return host_abi_version == SNUG_ENGINE_ABI_VERSION ? &api : nullptr;
}
