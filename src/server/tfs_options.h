// The command line of tensorflow_model_server, the name under which snug-server stands in for TensorFlow
// Serving's program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/options.h"
#include "server/tfs_config.h"

namespace snug::server {

inline constexpr std::string_view kTfsProgram = "tensorflow_model_server";

struct TfsOptions {
  ServerOptions server;
  std::vector<TfsModelConfig> models;  // of the flags or the config file
  std::string config_file;             // empty: none
  double config_poll_seconds = 0;
  double poll_seconds = 1;
  int model_threads = 0;           // 0: all that the cgroup allows
  std::vector<std::string> notes;  // what was accepted without effect, for the log
};

// Whether the program was called by that name.
bool IsTfsProgram(std::string_view argv0);

// As ParseCommandLine: the exit code when the program is to end at once, having printed why; else -1. Reads
// the files that the flags name.
int ParseTfsCommandLine(int argc, char** argv, TfsOptions& options);

}  // namespace snug::server
