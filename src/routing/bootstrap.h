// How Envoy is started: its bootstrap configuration and its command line, as values. All that changes while
// it runs (clusters, endpoints) comes from the AdsServer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"

namespace snug::routing {

struct BootstrapOptions {
  std::string node_id = "front-door";
  std::string address = "127.0.0.1";
  uint16_t port = 8080;  // 0: the system chooses; the admin port's /listeners tells which
  // The admin port listens on 127.0.0.1 always. 0: the system chooses and Envoy writes it to
  // EnvoyOptions::admin_file.
  uint16_t admin_port = 0;
  std::string ads_address = "127.0.0.1";
  uint16_t ads_port = 0;  // AdsServer::port()
  // A request's body is kept until its answer begins, so that it can be sent to another copy; larger ones are
  // streamed through and not retried. model servers have their own limit.
  uint64_t retry_body_bytes_max = uint64_t{64} << 20;
  uint32_t connections_max = 10'000;               // clients' connections; further ones are closed
  uint64_t heap_bytes_max = uint64_t{2} << 30;     // at 95 % new requests get RESOURCE_EXHAUSTED
  uint32_t request_idle_seconds_max = 3600;        // a request or stream on which nothing moves is ended
  std::string access_log;                          // a file, one JSON line a request; empty: none
  std::string tls_certificate_file, tls_key_file;  // PEM, both or neither; without them plain text
};

// JSON, which Envoy reads as .json or as .yaml. INVALID_ARGUMENT when an option cannot be (no ADS port, an
// address that is not an IP, one of the TLS files alone).
Result<std::string> EnvoyBootstrap(const BootstrapOptions& options);

struct EnvoyOptions {
  std::string program;      // …/envoy/_bin/envoy
  std::string config_file;  // holds EnvoyBootstrap(); the name must end in .yaml or .json
  std::string plugin_dir;   // where libsnugroute.so is
  std::string admin_file;   // Envoy writes "127.0.0.1:PORT" there; empty: it does not
  int threads = 1;          // Envoy's workers; each holds its own connections to every copy
};

struct EnvoyCommand {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // to be added
};

EnvoyCommand MakeEnvoyCommand(const EnvoyOptions& options);

}  // namespace snug::routing
