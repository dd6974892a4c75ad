#include "engine/commands.h"

#include <nlohmann/json.hpp>

#include "base/whole_number.h"
#include "engine/checks.h"

namespace snug::engine {
namespace {

using Json = nlohmann::json;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Runs `read` over the parsed text; a missing or ill-typed member becomes INTERNAL: both ends are ours.
template <typename T, typename Read>
Result<T> Decode(std::string_view text, Read read) {
  try {
    return read(Json::parse(text));
  } catch (const std::exception& e) {
    return Internal("engine process: unexpected message: {}", e.what());
  }
}

Json ToJson(const std::vector<TensorSpec>& specs) {
  Json list = Json::array();
  for (const TensorSpec& spec : specs) {
    list.push_back({{"name", spec.name}, {"dtype", static_cast<int32_t>(spec.dtype)}, {"shape", spec.shape}});
  }
  return list;
}

Json ToJson(const std::vector<Signature>& signatures) {
  Json list = Json::array();
  for (const Signature& signature : signatures) {
    list.push_back({{"name", signature.name},
                    {"method", signature.method},
                    {"inputs", ToJson(signature.inputs)},
                    {"outputs", ToJson(signature.outputs)}});
  }
  return list;
}

std::vector<TensorSpec> SpecsOf(const Json& list) {
  std::vector<TensorSpec> specs;
  for (const Json& spec : list) {
    specs.push_back({spec.at("name").get<std::string>(),
                     static_cast<DType>(WholeNumber<int32_t>(spec.at("dtype"))),
                     WholeNumbers<int64_t>(spec.at("shape"))});
  }
  return specs;
}

std::vector<Signature> SignaturesOf(const Json& list) {
  std::vector<Signature> signatures;
  for (const Json& one : list) {
    signatures.push_back({one.at("name").get<std::string>(), one.at("method").get<std::string>(),
                          SpecsOf(one.at("inputs")), SpecsOf(one.at("outputs"))});
  }
  return signatures;
}

Status StatusOf(const Json& json) {
  const auto code = WholeNumber<int32_t>(json.at("code"));
  if (code == 0) return {};
  if (code < 0 || code > static_cast<int32_t>(Code::kUnauthenticated))
    return Internal("engine process: code {}", code);
  return Status(static_cast<Code>(code), json.at("text").get<std::string>());
}

}  // namespace

std::string EncodeLoad(const LoadCommand& command) {
  return Dump({{"command", "load"},
               {"plugin", command.plugin},
               {"directory", command.directory},
               {"options", command.options_json},
               {"cache_dir", command.cache_dir},
               {"threads", command.threads},
               {"output_bytes_max", command.output_bytes_max}});
}

std::string EncodeCreateInstance(const std::string& signature) {
  return Dump({{"command", "create_instance"}, {"signature", signature}});
}

std::string EncodeTrim(bool idle) {
  return Dump({{"command", "trim"}, {"idle", idle}});
}

Result<Command> DecodeCommand(std::string_view text) {
  return Decode<Command>(text, [](const Json& json) -> Result<Command> {
    auto name = json.at("command").get<std::string>();
    using enum Command::Kind;
    if (name == "create_instance")
      return Command{.kind = kCreateInstance, .signature = json.at("signature").get<std::string>()};
    if (name == "trim") return Command{.kind = kTrim, .idle = json.at("idle").get<bool>()};
    if (name != "load") return Internal("engine process: unknown command");
    return Command{
        .kind = kLoad,
        .load = {json.at("plugin").get<std::string>(), json.at("directory").get<std::string>(),
                 json.at("options").get<std::string>(), json.at("cache_dir").get<std::string>(),
                 WholeNumber<int>(json.at("threads")), WholeNumber<uint64_t>(json.at("output_bytes_max"))}};
  });
}

std::string EncodeInfo(const ModelInfo& info) {
  return Dump({{"code", 0},
               {"inputs", ToJson(info.inputs)},
               {"outputs", ToJson(info.outputs)},
               {"memory_bytes", info.memory_bytes},
               {"batch_is_free", info.batch_is_free},
               {"threads_per_instance", info.threads_per_instance},
               {"description", info.description},
               {"signature", info.signature},
               {"method", info.method},
               {"signatures", ToJson(info.signatures)},
               {"decoupled", info.decoupled}});
}

std::string EncodeStatus(const Status& status) {
  return Dump({{"code", static_cast<int32_t>(status.code())}, {"text", status.text()}});
}

Result<ModelInfo> DecodeInfo(std::string_view text) {
  return Decode<ModelInfo>(text, [](const Json& json) -> Result<ModelInfo> {
    SNUG_RETURN_IF_ERROR(StatusOf(json));
    ModelInfo info{SpecsOf(json.at("inputs")),
                   SpecsOf(json.at("outputs")),
                   WholeNumber<uint64_t>(json.at("memory_bytes")),
                   json.at("batch_is_free").get<bool>(),
                   WholeNumber<int>(json.at("threads_per_instance")),
                   json.at("description").get<std::string>(),
                   json.at("signature").get<std::string>(),
                   json.at("method").get<std::string>(),
                   SignaturesOf(json.at("signatures"))};
    info.decoupled = json.at("decoupled").get<bool>();
    SNUG_RETURN_IF_ERROR(CheckSpecs(info));
    return info;
  });
}

Status DecodeStatus(std::string_view text) {
  return Decode<bool>(text,
                      [](const Json& json) -> Result<bool> {
                        SNUG_RETURN_IF_ERROR(StatusOf(json));
                        return true;
                      })
      .status();
}

}  // namespace snug::engine
