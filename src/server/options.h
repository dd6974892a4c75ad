// snug-server's command line.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "repository/model_config.h"

namespace snug::server {

// How models come and go.
enum class Control {
  kNone,      // what is in the repository at start
  kExplicit,  // by calls
  kPoll,      // as the repository changes
};

struct ServerOptions {
  std::string models;
  std::string address = "127.0.0.1";
  uint16_t grpc_port = 8001;
  uint16_t rest_port = 8000;
  Control control = Control::kNone;
  repository::LoadTime load_time = repository::LoadTime::kAtStart;  // where model.yaml does not say
  int standby_after_seconds = 0;                                    // where model.yaml does not say; 0: never
  double poll_seconds = 10;                                         // of Control::kPoll
  int load_retries = 2;  // of a load that failed for a reason that may pass
  int threads = 0;       // 0: from the cgroup
  int load_threads = 0;  // 0: half of threads
  std::string cache_dir;
  std::string plugins;
  std::string ready_file;
  std::string server_id;
  std::string payload_log_dir;  // empty: none
  std::string server_name = "snug";
  double drain_seconds = 30;
  uint64_t message_mib_max = 64;
  bool client_shared_memory = false;
  std::string trace_file;  // empty: no request is traced
  double connection_age_seconds = 0;
  double keepalive_seconds = 60;
  bool rest_enabled = true;
  double rest_timeout_seconds = 0;                              // of TensorFlow Serving's REST; 0: none
  std::string metrics_path = "/monitoring/prometheus/metrics";  // beside /metrics
  std::string grpc_socket_path;                                 // a Unix socket for gRPC too; empty: none
  std::vector<std::pair<std::string, std::string>> grpc_channel_arguments;
  log::Format log_format = log::Format::kText;
  log::Level log_level = log::Level::kInfo;
};

// Fills `options`. Returns the exit code when the program is to end at once (--help: 0, a bad command line:
// 2), having printed why; else -1.
int ParseCommandLine(int argc, char** argv, ServerOptions& options);

}  // namespace snug::server
