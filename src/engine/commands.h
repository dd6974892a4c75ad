// The JSON of an engine process's control socket: load, then create_instance and trim as often as wanted.
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/engine.h"

namespace snug::engine {

struct LoadCommand {
  std::string plugin;  // path
  std::string directory;
  std::string options_json = "{}";
  std::string cache_dir;
  int threads = 1;  // of all instances together
  uint64_t output_bytes_max = 0;
};

std::string EncodeLoad(const LoadCommand& command);
std::string EncodeCreateInstance(const std::string& signature);  // empty: the model's own
std::string EncodeTrim(bool idle);                               // the only one without an answer
struct Command {
  enum class Kind { kLoad, kCreateInstance, kTrim } kind;
  LoadCommand load = {};       // of kLoad
  std::string signature = {};  // of kCreateInstance
  bool idle = false;           // of kTrim
};
// INTERNAL for anything else.
Result<Command> DecodeCommand(std::string_view json);

// Answers: a model's info (checked again by the reader), plain OK, or an error.
std::string EncodeInfo(const ModelInfo& info);
std::string EncodeStatus(const Status& status);
Result<ModelInfo> DecodeInfo(std::string_view json);
Status DecodeStatus(std::string_view json);

}  // namespace snug::engine
