#include "server/options.h"

#include <CLI/CLI.hpp>

#include "repository/limits.h"
#include "server/core.h"

namespace snug::server {
namespace {

constexpr const char* kDescription =
    "Serves models over KServe v2 (gRPC and REST, as tritonclient speaks them) and over Snug's own Predict.";

constexpr const char* kFooter = R"(
A repository is a directory of models, each with numbered versions:
  models/ocr/model.yaml        optional: engine, parser, threads, instances, versions, labels, …
  models/ocr/1/...             a SavedModel, an .onnx file, an .xml with its .bin, ...

Examples
  snug-server --models ./models
  curl -s localhost:8000/v2/models/ocr
  curl -s --data-binary @line.png localhost:8000/v1/predict/ocr
  snug-server --models ./models --control explicit
  curl -s -d '{"parameters":{"version":"1"}}' localhost:8000/v2/repository/models/ocr/load

Exit codes: 0 stopped by SIGTERM or SIGINT with all requests answered; 1 could not start; 2 bad command line;
3 --drain-seconds ran out before all requests were answered.
Full description: docs/server.md)";

void AddPlaces(CLI::App& app, ServerOptions& o) {
  app.add_option("--models", o.models, "Model repository")->required()->type_name("DIR");
  app.add_option("--address", o.address, "Address to listen on; 0.0.0.0 for all")->capture_default_str();
  app.add_option("--grpc-port", o.grpc_port, "0: the system chooses")->capture_default_str();
  app.add_option("--rest-port", o.rest_port, "0: the system chooses")->capture_default_str();
  app.add_option("--ready-file", o.ready_file,
                 "Written once both ports listen: {\"pid\",\"grpc_port\",\"rest_port\"}");
  app.add_option("--cache", o.cache_dir, "Where engines keep compiled models; may be deleted at any time")
      ->type_name("DIR");
  app.add_option("--plugins", o.plugins, "Engines and parsers (default: lib/snug beside the program)")
      ->type_name("DIR");
  app.add_option("--payload-log", o.payload_log_dir,
                 "Where requests are kept that model.yaml's payload_log samples")
      ->type_name("DIR");
  app.add_option("--trace-file", o.trace_file,
                 "Where traced requests are written, as lines of JSON; see docs/server.md")
      ->type_name("FILE");
  app.add_option("--server-id", o.server_id, "Name in metrics and logs");
  app.add_option("--server-name", o.server_name,
                 "Name in the server's metadata, for clients that expect another one (\"triton\")")
      ->capture_default_str();
}

void AddLimits(CLI::App& app, ServerOptions& o) {
  app.add_option("--threads", o.threads, "CPU threads to plan with (default: what the cgroup allows)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--load-threads", o.load_threads, "Models loaded at a time (default: half of --threads)")
      ->check(CLI::Range(1, 64));
  app.add_option("--load-retries", o.load_retries,
                 "How often a load is tried again that failed for what may pass")
      ->capture_default_str()
      ->check(CLI::Range(0, 100));
  app.add_option("--drain-seconds", o.drain_seconds, "After SIGTERM, how long requests may take to finish")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  app.add_option("--message-mib-max", o.message_mib_max, "Largest request body or message, MiB")
      ->capture_default_str()
      ->check(CLI::Range(1, 2047));
  app.add_flag("--client-shared-memory", o.client_shared_memory,
               "Clients may register POSIX shared memory for their tensors (all that this process may open)");
  app.add_option("--connection-age-seconds", o.connection_age_seconds,
                 "gRPC connections are renewed after this, so that clients find new servers; 0: never")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 86400.0));
  app.add_option("--keepalive-seconds", o.keepalive_seconds, "Idle gRPC connections are probed after this")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 86400.0));
}

}  // namespace

int ParseCommandLine(int argc, char** argv, ServerOptions& options) {
  CLI::App app(kDescription, "snug-server");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("snug-server ") + kServerVersion);
  std::string control = "none", load = "at-start", format = "text", level = "info";
  AddPlaces(app, options);
  AddLimits(app, options);
  app.add_option(
         "--control", control,
         "none: load the whole repository at start; explicit: by load and unload calls; poll: as it changes")
      ->capture_default_str()
      ->check(CLI::IsMember({"none", "explicit", "poll"}));
  app.add_option("--load", load,
                 "When models are loaded whose model.yaml does not say, but for those that a call loads: "
                 "at-start; background: after it, asked ones first; on-request: by their first request")
      ->capture_default_str()
      ->check(CLI::IsMember({"at-start", "background", "on-request"}));
  app.add_option(
         "--standby-after-seconds", options.standby_after_seconds,
         "Models whose model.yaml does not say leave memory when they were not asked for so long; the next "
         "request loads them again; 0: never")
      ->capture_default_str()
      ->check(CLI::Range(0, repository::kStandbyAfterSecondsMax));
  app.add_option("--poll-seconds", options.poll_seconds,
                 "With --control poll: how often the repository is looked at")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  app.add_option("--log-format", format)->capture_default_str()->check(CLI::IsMember({"text", "json"}));
  app.add_option("--log-level", level)
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (control == "explicit") options.control = Control::kExplicit;
  if (control == "poll") options.control = Control::kPoll;
  if (load == "background") options.load_time = repository::LoadTime::kBackground;
  if (load == "on-request") options.load_time = repository::LoadTime::kOnRequest;
  options.log_format = format == "json" ? log::Format::kJson : log::Format::kText;
  options.log_level = log::LevelFromName(level);
  return -1;
}

}  // namespace snug::server
