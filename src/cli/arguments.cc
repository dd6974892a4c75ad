#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <limits>
#include <list>
#include <sstream>

#include "cli/argument_values.h"
#include "cli/exit_code.h"
#include "cli/json_access.h"
#include "cli/limits.h"
#include "repository/limits.h"
#include "repository/repository.h"

namespace snug::cli {
namespace {

// A subcommand with its variables; `take` makes the command out of them after parsing.
struct Subcommand {
  CLI::App* app = nullptr;
  std::function<Command()> take;
};

// Everything that CLI11 writes into while it parses.
class Parser {
 public:
  Parser()
      : app_("Snug serves machine-learning models: deploy a model, send it data, get its answer.", "snug") {
    app_.require_subcommand(1);
    app_.set_help_flag("-h,--help", "Print this help");
    AddGlobals();
    AddUp();
    AddDown();
    AddDeploy();
    AddPredict();
    AddMeasure();
    AddModels();
    AddScale();
    AddRoute();
    AddUndeploy();
    AddStatus();
    AddLogs();
    AddVersion();
    AddSimulate();
    AddSupervise();
    app_.footer(
        "Start here:\n"
        "  snug up                                    start the platform on this machine\n"
        "  snug deploy ./my_model_dir --name mine     serve a SavedModel, ONNX or OpenVINO model\n"
        "  snug predict mine --zeros                  try it\n"
        "`snug COMMAND --help` shows examples. Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found,\n"
        "4 the platform is not running, 5 not ready in time.");
  }

  std::variant<Parsed, Stop> Parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      return Explain(error);
    }
    for (auto& subcommand : subcommands_) {
      if (subcommand.app->parsed()) return Parsed{globals_, subcommand.take()};
    }
    return Stop{kExitUsage, "", app_.help()};
  }

 private:
  Stop Explain(const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    int code = app_.exit(error, out, err);
    return {code == 0 ? kExitOk : kExitUsage, out.str(), err.str()};
  }

  CLI::App* Add(const std::string& name, const std::string& description, const std::string& examples) {
    CLI::App* app = app_.add_subcommand(name, description);
    app->fallthrough();  // globals may follow the subcommand
    if (!examples.empty()) app->footer("Examples:\n" + examples);
    return app;
  }
  // The options live here as long as the parser does.
  template <typename T>
  T& Keep(CLI::App* app) {
    auto options = std::make_shared<T>();
    subcommands_.push_back({app, [options] { return Command(*options); }});
    return *options;
  }
  static CLI::Option* AddName(CLI::App* app, std::string& name) {
    return app->add_option("NAME", name, "The model's name")->required()->check(CheckName);
  }

  void AddGlobals() {
    app_.add_option(
        "--api", globals_.api,
        "The controller's address, http://HOST:PORT; default: that of the running platform, or SNUG_API");
    app_.add_option("--state", globals_.state,
                    "Directory of the platform's data; default: SNUG_STATE or ~/.local/share/snug");
    app_.add_flag("--json", globals_.json, "Print JSON instead of text");
    app_.add_option("--token-file", globals_.token_file, "File with the token for the API")
        ->check(CLI::ExistingFile);
  }

  void AddUp() {
    CLI::App* app = Add("up", "Start the platform on this machine",
                        "  snug up\n"
                        "  snug up --port 9000 --front-door-port 9001 --foreground\n"
                        "  snug up --policy best-fit --limit 0.8 --group-cores 4 --memory-mib 8192");
    auto& o = Keep<UpOptions>(app);
    app->add_option("--port", o.port, "Of the API; 0: a free one; default: 8080");
    app->add_option("--front-door-port", o.front_door_port,
                    "Of the front door, gRPC and REST; 0: a free one; default: 8090");
    app->add_option("--threads", o.threads,
                    "CPU threads for models; default: what this machine or its cgroup gives")
        ->check(CLI::Range(1, 1024));
    app->add_option("--envoy", o.envoy, "Path of Envoy, the front door's program; default: found")
        ->check(CLI::ExistingFile);
    app->add_option("--plugins", o.plugins, "Directory of engines and parsers; default: beside this program")
        ->check(CLI::ExistingDirectory);
    AddPlacement(app, o);
    app->add_flag("--foreground", o.foreground, "Stay here; Ctrl-C stops everything");
    app->add_option("--wait", o.wait_seconds, "Seconds to wait until the platform and its models are ready")
        ->check(CLI::Range(0.0, 3600.0))
        ->capture_default_str();
  }

  static void AddPlacement(CLI::App* app, UpOptions& o) {
    struct Entry {
      const char* flag;
      const char* help;
      CLI::Validator check;
    };
    const CLI::Validator any([](std::string&) { return std::string(); }, "");
    const Entry entries[] = {
        {"--policy", "Rule by which models share servers (docs/placement.md); default: fifty-percent", any},
        {"--limit", "How full the rule lets a group of models become, 0.5 = half of its cores",
         CLI::Range(0.01, 4.0)},
        {"--quota", "Cards (groups) of which a department's models may ask for shares: cars=4,homes=2.5",
         any},
        {"--group-cores", "CPU cores of a group, which stands for a card; default: half of the machine's",
         CLI::Range(0.1, 1024.0)},
        {"--memory-mib", "Memory for servers and models together; default: 90 % of the machine's",
         CLI::Range(uint64_t{1}, kMemoryMibMax)},
    };
    for (const Entry& entry : entries) {
      std::string flag = entry.flag;
      app->add_option_function<std::string>(
             flag, [&o, flag](const std::string& value) { o.controller_options[flag] = value; }, entry.help)
          ->check(entry.check);
    }
  }

  void AddDown() {
    CLI::App* app = Add("down", "Stop the platform; requests under way are answered first",
                        "  snug down\n"
                        "  snug down --delete-data");
    auto& o = Keep<DownOptions>(app);
    auto* keep = app->add_flag("--keep-data")
                     ->description("Keep deployed models for the next `snug up` (the default)");
    app->add_flag("--delete-data", o.delete_data, "Delete the state directory: all deployed models are gone")
        ->excludes(keep);
  }

  void AddDeploy() {
    CLI::App* app =
        Add("deploy", "Serve a model, or a new version of one",
            "  snug deploy ./my_model_dir --name mine\n"
            "  snug deploy ./ocr/3 --name ocr --engine openvino --parser ocr --threads 2 --copies 2");
    auto& o = Keep<DeployOptions>(app);
    app->add_option(
           "PATH", o.path,
           "A SavedModel directory, an .onnx file, an OpenVINO .xml beside its .bin, a directory with one of "
           "these, or a NAME/VERSION/… layout")
        ->required();
    app->add_option("--name", o.name, "The model's name; default: the last part of PATH")->check(CheckName);
    AddDeployQuery(app, o);
    AddEngineOptions(app, o);
    app->add_option_function<std::string>(
           "--version", [&o](const std::string& text) { o.version = repository::ParseVersion(text).value(); },
           "A number; default: that of the layout, or the next one")
        ->check(CheckVersion);
    app->add_option("--wait", o.wait_seconds, "Seconds to wait until it answers; 0: do not wait")
        ->check(CLI::Range(0.0, 3600.0))
        ->capture_default_str();
  }

  // Options that the controller knows by the same name.
  static void AddDeployQuery(CLI::App* app, DeployOptions& o) {
    struct Entry {
      const char* flag;
      const char* key;
      const char* help;
      CLI::Validator check;
    };
    const CLI::Validator any([](std::string&) { return std::string(); }, "");
    const Entry entries[] = {
        {"--engine", "engine",
         "auto, openvino, tensorflow, python, remote, page_ocr, echo; torch, onnxruntime and tensorrt where "
         "they are built; others by their plug-in's name; default: auto",
         any},
        {"--parser", "parser",
         "Turns payloads such as images into tensors: ocr, page_ocr, others by their plug-in's name; "
         "default: none",
         any},
        {"--threads", "threads", "Threads of each instance; default: 1",
         CLI::Range(1, repository::kThreadsMax)},
        {"--instances", "instances", "Requests that a copy executes at once; default: 1",
         CLI::Range(1, repository::kInstancesMax)},
        {"--copies", "copies", "Copies of the model; default: 1", CLI::Range(0, 32)},
        {"--share", "share", "Part of a group's CPU that a copy needs, 0.01 to 1; default: 0.1",
         CLI::Range(0.01, 1.0)},
        {"--queue-limit", "queue_limit",
         "Requests that may wait before the model says it is overloaded; default: 256",
         CLI::Range(1, repository::kQueueLimitMax)},
        {"--standby-after", "standby_after_s",
         "Seconds without a request after which it leaves memory until the next one, or never; "
         "default: never",
         any},
        {"--label", "label", "Another name for the version, such as stable", any},
        {"--department", "department", "Owner; departments do not share groups", any},
        {"--sharing", "sharing",
         "shared; guaranteed: in its group requests never add up to more than a card; alone: a group of its "
         "own; default: shared",
         CLI::IsMember({"shared", "guaranteed", "alone"})},
        {"--keep-apart", "keep_apart",
         "Models that never share a group with this one: a,b; empty: none any more", any},
        {"--pin", "pinned_groups", "Groups that its copies go to first: g1,g2; empty: none any more", any},
        {"--isolation", "isolation", "default, in-process or process",
         CLI::IsMember({"default", "in-process", "process"})},
    };
    for (const Entry& entry : entries) {
      std::string key = entry.key;
      app->add_option_function<std::string>(
             entry.flag, [&o, key](const std::string& value) { o.query.emplace_back(key, value); },
             entry.help)
          ->check(entry.check);
    }
  }

  static void SetOption(DeployOptions& o, const std::string& query_key, const std::string& key, Json value) {
    auto found = std::find_if(o.query.begin(), o.query.end(),
                              [&](const auto& pair) { return pair.first == query_key; });
    Json options = found == o.query.end() ? Json::object() : Json::parse(found->second);
    options[key] = std::move(value);
    if (found == o.query.end()) {
      o.query.emplace_back(query_key, Dump(options));
    } else {
      found->second = Dump(options);
    }
  }

  static void AddEngineOptions(CLI::App* app, DeployOptions& o) {
    app->add_option_function<std::string>(
           "--precision",
           [&o](const std::string& value) { SetOption(o, "engine_options", "precision", value); },
           "f32, bf16, f16 or auto: what the engine computes in; default: f32")
        ->check(CLI::IsMember({"f32", "bf16", "f16", "auto"}));
    app->add_option_function<std::string>(
           "--onednn",
           [&o](const std::string& value) { SetOption(o, "engine_options", "onednn", value == "on"); },
           "on or off: TensorFlow's oneDNN kernels; default: on")
        ->check(CLI::IsMember({"on", "off"}));
    auto add = [&](const char* flag, const char* query_key, const char* help) {
      app->add_option_function<std::vector<std::string>>(
             flag,
             [&o, query_key](const std::vector<std::string>& all) {
               for (const auto& text : all) {
                 auto [key, value] = SplitKeyValue(text);
                 SetOption(o, query_key, key, OptionValue(value));
               }
             },
             help)
          ->allow_extra_args(false)
          ->check(CheckKeyValue);
    };
    add("--option", "engine_options", "KEY=VALUE for the engine; repeat for more");
    add("--parser-option", "parser_options", "KEY=VALUE for the parser; repeat for more");
  }

  // What is sent to a model, and where.
  static void AddInput(CLI::App* app, PredictOptions& o) {
    auto* input = app->add_option("INPUT", o.file, "- reads standard input")->check(CLI::IsMember({"-"}));
    auto* file = app->add_option("--file", o.file, "File to send: an image, text, or JSON with \"inputs\"");
    auto* data = app->add_option("--data", o.data, "Text to send, such as JSON with \"inputs\" (KServe v2)");
    auto* zeros = app->add_flag("--zeros", o.zeros, "Send zeros in the shapes that the model declares");
    file->excludes(input)->excludes(data)->excludes(zeros);
    data->excludes(input)->excludes(zeros);
    zeros->excludes(input);
    app->add_option_function<std::vector<std::string>>(
           "--shape",
           [&o](const std::vector<std::string>& all) {
             for (const auto& text : all) o.shapes.insert(*ParseShape(text));
           },
           "INPUT=DIM,DIM,… for --zeros where the model leaves dimensions free (1 otherwise); repeat for "
           "more")
        ->allow_extra_args(false)
        ->needs(zeros)
        ->check(CheckShape);
    app->add_option("--version", o.version, "A number or label; default: as the model's route says");
    app->add_option("--content-type", o.content_type,
                    "Media type of the payload; default: from the file's name");
    app->add_option_function<std::vector<std::string>>(
           "--param",
           [&o](const std::vector<std::string>& all) {
             for (const auto& text : all) o.parameters.push_back(SplitKeyValue(text));
           },
           "KEY=VALUE for the parser; repeat for more")
        ->allow_extra_args(false)
        ->check(CheckKeyValue);
    app->add_option("--front-door", o.front_door, "HOST:PORT; default: that of the running platform");
    app->add_option("--timeout", o.timeout_seconds, "Seconds to wait for the answer")
        ->check(CLI::Range(0.001, 3600.0))
        ->capture_default_str();
  }

  void AddPredict() {
    CLI::App* app =
        Add("predict", "Send a model a payload or tensors and print its answer",
            "  snug predict ocr --file line.png\n"
            "  snug predict mine --data '{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"FP32\","
            "\"data\":[1,2]}]}'\n"
            "  snug predict mine --zeros --time");
    auto& o = Keep<PredictOptions>(app);
    AddName(app, o.name);
    AddInput(app, o);
    app->add_flag("--time", o.time, "Print how long the answer took");
  }

  void AddMeasure() {
    CLI::App* app = Add("measure", "Ask a model again and again, and tell how quickly it answers",
                        "  snug measure mine --zeros\n"
                        "  snug measure ocr --file line.png --clients 1,8,32 --seconds 10");
    auto& o = Keep<MeasureOptions>(app);
    AddName(app, o.call.name);
    AddInput(app, o.call);
    app->add_option("--clients", o.clients,
                    "So many at a time, each of which asks again as soon as it has its answer; one row for "
                    "each number")
        ->delimiter(',')
        ->check(CLI::Range(1, kMeasureClientsMax))
        ->capture_default_str();
    app->add_option("--seconds", o.seconds, "For each row")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    app->add_option("--requests", o.requests, "So many for each row, instead of for --seconds")
        ->check(CLI::Range(uint64_t{1}, kMeasureRequestsMax));
  }

  void AddModels() {
    CLI::App* app = Add("models", "List models, or show one with its versions and copies",
                        "  snug models\n"
                        "  snug models ocr");
    auto& o = Keep<ModelsOptions>(app);
    app->add_option("NAME", o.name, "Show this model alone, in full")->check(CheckName);
  }

  void AddScale() {
    CLI::App* app = Add("scale", "Set how many copies a model has",
                        "  snug scale ocr 2\n"
                        "  snug scale ocr --copies 0        (unload it, keep it deployed)");
    auto& o = Keep<ScaleOptions>(app);
    AddName(app, o.name);
    app->add_option("COPIES,--copies", o.copies, "0 to 32")->required()->check(CLI::Range(0, 32));
  }

  void AddRoute() {
    CLI::App* app = Add("route", "Show or set how a model's traffic is split over its versions",
                        "  snug route ocr\n"
                        "  snug route ocr 3=90 4=10\n"
                        "  snug route ocr --auto");
    auto& o = Keep<RouteOptions>(app);
    AddName(app, o.name);
    auto* weights = app->add_option_function<std::vector<std::string>>(
        "VERSION=WEIGHT",
        [&o](const std::vector<std::string>& all) {
          for (const auto& text : all) o.weights.push_back(*ParseWeight(text));
        },
        "Versions not named are retired; weight 0 keeps one loaded for requests that name it");
    weights->check(CheckWeight)->expected(0, 16);
    app->add_flag("--auto", o.automatic, "Let the newest version take over as soon as it is ready")
        ->excludes(weights);
  }

  void AddUndeploy() {
    CLI::App* app =
        Add("undeploy", "Remove a model with all its versions; requests under way are answered first",
            "  snug undeploy ocr\n"
            "  snug undeploy ocr --wait 0");
    auto& o = Keep<UndeployOptions>(app);
    AddName(app, o.name);
    app->add_option("--wait", o.wait_seconds, "Seconds to wait until it is gone; 0: do not wait")
        ->check(CLI::Range(0.0, 3600.0))
        ->capture_default_str();
  }

  void AddStatus() {
    CLI::App* app = Add("status", "Show addresses, processes and warnings",
                        "  snug status\n"
                        "  snug status --json");
    Keep<StatusOptions>(app);
  }

  void AddLogs() {
    CLI::App* app = Add("logs", "Show the logs of the servers that hold a model",
                        "  snug logs ocr\n"
                        "  snug logs ocr -f --lines 20");
    auto& o = Keep<LogsOptions>(app);
    AddName(app, o.name);
    app->add_flag("-f,--follow", o.follow, "Go on printing what is added, until Ctrl-C");
    app->add_option("--lines", o.lines, "Lines of each server")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str();
  }

  void AddVersion() {
    CLI::App* app = Add("version", "Print Snug's version",
                        "  snug version\n"
                        "  snug version --json");
    Keep<VersionOptions>(app);
  }

  // Its arguments are its own: see src/simulate.
  void AddSimulate() {
#ifdef SNUG_WITH_SIMULATE
    CLI::App* app = app_.add_subcommand("simulate", "Replay traces through placement on a virtual clock");
    app->prefix_command();
    app->set_help_flag();
    subcommands_.push_back({app, [app] { return Command(SimulateOptions{app->remaining()}); }});
#endif
  }

  void AddSupervise() {
    CLI::App* app = Add("supervise", "The process behind `snug up`", "");
    app->group("");  // not in the help
    Keep<SuperviseOptions>(app);
  }

  CLI::App app_;
  Globals globals_;
  std::list<Subcommand> subcommands_;
};

std::string DefaultState(const std::map<std::string, std::string>& environment) {
  auto value = [&](const char* name) {
    auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  if (!value("SNUG_STATE").empty()) return value("SNUG_STATE");
  if (!value("XDG_DATA_HOME").empty()) return value("XDG_DATA_HOME") + "/snug";
  if (!value("HOME").empty()) return value("HOME") + "/.local/share/snug";
  return "/var/lib/snug";
}

// Absolute and without links or dots, so that a state directory has one name: processes are recognised by it.
std::string Canonical(const std::string& path) {
  std::error_code error;
  auto canonical = std::filesystem::weakly_canonical(path, error);
  std::string text = error ? std::filesystem::absolute(path).string() : canonical.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace

std::variant<Parsed, Stop> Parse(std::vector<std::string> arguments,
                                 const std::map<std::string, std::string>& environment) {
  Parser parser;
  auto result = parser.Parse(std::move(arguments));
  if (auto* parsed = std::get_if<Parsed>(&result)) {
    Globals& globals = parsed->globals;
    globals.state_given = !globals.state.empty();
    globals.state = Canonical(globals.state_given ? globals.state : DefaultState(environment));
    if (globals.api.empty() && !globals.state_given && environment.contains("SNUG_API")) {
      globals.api = environment.at("SNUG_API");
    }
    while (globals.api.ends_with('/')) globals.api.pop_back();
  }
  return result;
}

}  // namespace snug::cli
