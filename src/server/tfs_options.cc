#include "server/tfs_options.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

#include "os/files.h"
#include "server/core.h"

namespace snug::server {
namespace {

constexpr const char* kDescription =
    "Serves SavedModels as TensorFlow Serving's program of this name does: the same flags, gRPC and REST.";
constexpr const char* kFooter = R"(
Flags are written --name=value. Without --address it listens on 127.0.0.1 only.

Example
  tensorflow_model_server --port=8500 --rest_api_port=8501 --model_name=half_plus_two --model_base_path=/models/hpt
  curl -s -d '{"instances": [1.0, 2.0, 5.0]}' localhost:8501/v1/models/half_plus_two:predict

What is the same and what differs: docs/tensorflow-serving.md)";

// Flags of TensorFlow Serving that have no effect here, each with the reason.
const std::map<std::string, const char*> kWithoutEffect = {
    {"--tensorflow_session_parallelism", "use --tensorflow_intra_op_parallelism"},
    {"--tensorflow_inter_op_parallelism", "a model uses --tensorflow_intra_op_parallelism threads"},
    {"--num_unload_threads", "unloading has threads of its own"},
    {"--max_num_load_retries",
     "a version that fails to load is reported, and tried again when it is replaced"},
    {"--load_retry_interval_micros", "see --max_num_load_retries"},
    {"--flush_filesystem_caches", "the system decides"},
    {"--enable_model_warmup", "every model is warmed up"},
    {"--rest_api_num_threads", "sized from the CPU budget"},
    {"--grpc_max_threads", "sized from the CPU budget"},
    {"--allow_version_labels_for_unavailable_models",
     "labels may always name versions that are still to come"},
    {"--enable_signature_method_name_check", "method names are not looked at"},
    {"--remove_unused_fields_from_bundle_metagraph", "nothing of the bundle is kept"},
    {"--saved_model_tags", "the tag is serve"},
    {"--per_process_gpu_memory_fraction", "there is no GPU support in this build"},
    {"--enable_profiler", "there is no profiler"},
    {"--xla_cpu_compilation_enabled", "XLA is not used"},
    {"--tensorflow_batch_size_threshold", "see --enable_batching"},
};

struct Raw {
  std::string name = "default";
  std::string base_path, config_file, batching_file, monitoring_file, channel_arguments;
  int64_t rest_timeout_ms = 30'000;
  bool batching = false;
  std::map<std::string, std::string> ignored;
};

void AddFlags(CLI::App& app, TfsOptions& o, Raw& raw) {
  ServerOptions& s = o.server;
  app.add_option("--port", s.grpc_port, "gRPC port; 0: the system chooses")->capture_default_str();
  app.add_option("--rest_api_port", s.rest_port, "REST port; 0: no REST")->capture_default_str();
  app.add_option("--rest_api_timeout_in_ms", raw.rest_timeout_ms, "Time limit of a REST request")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, int64_t{86'400'000}));
  app.add_option("--grpc_socket_path", s.grpc_socket_path, "Serve gRPC on this Unix socket too");
  app.add_option("--grpc_channel_arguments", raw.channel_arguments,
                 "name=value,name=value for gRPC's channels");
  app.add_option("--model_name", raw.name, "Name of the one model")->capture_default_str();
  app.add_option("--model_base_path", raw.base_path, "Where its versions lie")->type_name("DIR");
  app.add_option("--model_config_file", raw.config_file, "A ModelServerConfig in text format")
      ->type_name("FILE");
  app.add_option("--model_config_file_poll_wait_seconds", o.config_poll_seconds, "0: it is read once")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 86400.0));
  app.add_option("--file_system_poll_wait_seconds", o.poll_seconds,
                 "How often base paths are looked at; 0: once")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 86400.0));
  app.add_flag("--enable_batching", raw.batching, "Accepted without effect, with a line in the log");
  app.add_option("--batching_parameters_file", raw.batching_file, "Checked, then as --enable_batching");
  app.add_option("--monitoring_config_file", raw.monitoring_file, "A MonitoringConfig in text format");
  app.add_option("--tensorflow_intra_op_parallelism", o.model_threads, "Threads of each model (default: all)")
      ->check(CLI::Range(0, 256));
  app.add_option("--num_load_threads", s.load_threads, "Versions loaded at a time")->check(CLI::Range(0, 64));
}

void AddOwnFlags(CLI::App& app, ServerOptions& s, std::string& level) {
  app.add_option("--address", s.address, "Address to listen on; 0.0.0.0 for all")->capture_default_str();
  app.add_option("--plugins", s.plugins, "Engines (default: lib/snug beside the program)")->type_name("DIR");
  app.add_option("--ready-file", s.ready_file,
                 "Written once the ports listen: {\"pid\",\"grpc_port\",\"rest_port\"}");
  app.add_option("--drain-seconds", s.drain_seconds, "After SIGTERM, how long requests may take to finish")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  app.add_option("--log-level", level)
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
}

Result<std::vector<std::pair<std::string, std::string>>> ParseArguments(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> arguments;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const size_t equals = one.find('=');
    if (equals == 0 || equals == std::string_view::npos)
      return InvalidArgument("--grpc_channel_arguments: expected name=value, got \"{}\"", one);
    arguments.emplace_back(one.substr(0, equals), one.substr(equals + 1));
  }
  return arguments;
}

// Reads --flag's file and hands its text on; an absent flag is no error.
template <typename Use>
Status WithFile(const std::string& path, Use use) {
  if (path.empty()) return {};
  SNUG_ASSIGN_OR_RETURN(const std::string text, os::ReadFile(path, kTfsConfigBytesMax));
  return use(text);
}

Status ReadModels(const Raw& raw, TfsOptions& options) {
  if (raw.config_file.empty() == raw.base_path.empty())
    return InvalidArgument("expected either --model_base_path (with --model_name) or --model_config_file");
  options.config_file = raw.config_file;
  if (!raw.base_path.empty()) {
    options.models = {{raw.name, raw.base_path, {}, {}}};
    return CheckTfsModel(options.models[0]);
  }
  return WithFile(raw.config_file, [&](const std::string& text) -> Status {
    SNUG_ASSIGN_OR_RETURN(options.models, ParseTfsConfig(text, raw.config_file));
    return {};
  });
}

Status Interpret(const Raw& raw, TfsOptions& options) {
  ServerOptions& server = options.server;
  SNUG_RETURN_IF_ERROR(ReadModels(raw, options));
  SNUG_ASSIGN_OR_RETURN(server.grpc_channel_arguments, ParseArguments(raw.channel_arguments));
  SNUG_RETURN_IF_ERROR(WithFile(raw.batching_file, [&](const std::string& text) {
    return CheckBatchingParameters(text, raw.batching_file);
  }));
  SNUG_RETURN_IF_ERROR(WithFile(raw.monitoring_file, [&](const std::string& text) -> Status {
    SNUG_ASSIGN_OR_RETURN(server.metrics_path, ParseMonitoringPath(text, raw.monitoring_file));
    return {};
  }));
  server.rest_enabled = server.rest_port != 0;
  server.rest_timeout_seconds = static_cast<double>(raw.rest_timeout_ms) / 1e3;
  if (raw.batching || !raw.batching_file.empty())
    options.notes.push_back(
        "--enable_batching and --batching_parameters_file: requests are executed one by one");
  for (const auto& [flag, value] : raw.ignored) {
    if (!value.empty()) options.notes.push_back(flag + ": " + kWithoutEffect.at(flag));
  }
  return {};
}

// What CLI11 leaves out: which flags there are.
int PrintUnknown(const CLI::App& app, const std::string& text) {
  std::fprintf(stderr, "%s\nKnown flags:", text.c_str());
  for (const CLI::Option* option : app.get_options()) std::fprintf(stderr, " %s", option->get_name().c_str());
  std::fprintf(stderr, "\nRun with --help for what they mean.\n");
  return 2;
}

}  // namespace

bool IsTfsProgram(std::string_view argv0) {
  return argv0.substr(argv0.rfind('/') + 1) == kTfsProgram;
}

int ParseTfsCommandLine(int argc, char** argv, TfsOptions& options) {
  CLI::App app(kDescription, std::string(kTfsProgram));
  app.footer(kFooter);
  app.set_version_flag("--version", fmt::format("TensorFlow ModelServer: Snug {}", kServerVersion));
  options.server.grpc_port = 8500;
  options.server.rest_port = 0;
  Raw raw;
  std::string level = "info";
  AddFlags(app, options, raw);
  AddOwnFlags(app, options.server, level);
  for (const auto& [flag, why] : kWithoutEffect)
    app.add_option(flag, raw.ignored[flag])->expected(0, 1)->default_str("true")->group("Without effect");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError& error) {
    return PrintUnknown(app, error.what());
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.server.log_level = log::LevelFromName(level);
  Status status = Interpret(raw, options);
  if (status.ok()) return -1;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 2;
}

}  // namespace snug::server
