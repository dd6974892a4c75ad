#include "cli/commands.h"

#include <exception>

#include "cli/exit_code.h"
#include "cli/json_access.h"
#ifdef SNUG_WITH_SIMULATE
#include "simulate/simulate.h"
#endif

namespace snug::cli {
namespace {

int RunSimulate(const SimulateOptions& options) {
#ifdef SNUG_WITH_SIMULATE
  std::vector<const char*> argv{"snug simulate"};
  for (const auto& argument : options.arguments) argv.push_back(argument.c_str());
  return simulate::SimulateMain(static_cast<int>(argv.size()), argv.data());
#else
  (void)options;
  return kExitUsage;
#endif
}

struct Dispatcher {
  Session session;

  int operator()(const UpOptions& options) const { return RunUp(session, options); }
  int operator()(const DownOptions& options) const { return RunDown(session, options); }
  int operator()(const DeployOptions& options) const { return RunDeploy(session, options); }
  int operator()(const PredictOptions& options) const { return RunPredict(session, options); }
  int operator()(const MeasureOptions& options) const { return RunMeasure(session, options); }
  int operator()(const ModelsOptions& options) const { return RunModels(session, options); }
  int operator()(const ScaleOptions& options) const { return RunScale(session, options); }
  int operator()(const RouteOptions& options) const { return RunRoute(session, options); }
  int operator()(const UndeployOptions& options) const { return RunUndeploy(session, options); }
  int operator()(const StatusOptions&) const { return RunStatus(session); }
  int operator()(const LogsOptions& options) const { return RunLogs(session, options); }
  int operator()(const VersionOptions&) const { return RunVersion(session); }
  int operator()(const SuperviseOptions&) const { return RunSupervise(session); }
  int operator()(const SimulateOptions& options) const { return RunSimulate(options); }
};

}  // namespace

int Fail(const Session& session, const Status& status) {
  std::ostream& err = session.terminal.err;
  if (session.globals.json) {
    err << Dump({{"error", {{"code", CodeName(status.code())}, {"message", status.text()}}}}) << "\n";
  } else {
    err << "snug: " << status.text() << "\n";
  }
  return ExitCodeOf(status);
}

std::string SnugCommand(const Globals& globals) {
  return globals.state_given ? "snug --state " + globals.state : "snug";
}

std::string CurlCommand(const std::string& url, const std::string& token_file) {
  if (token_file.empty()) return "curl " + url;
  // The file's lines are TOKEN or NAME:TOKEN, or comments.
  return fmt::format("curl -H \"Authorization: Bearer $(sed '/^#/d;s/.*://;q' {})\" {}", token_file, url);
}

int RunVersion(const Session& session) {
  if (session.globals.json) {
    session.terminal.out << Dump({{"version", SNUG_VERSION}}) << "\n";
  } else {
    session.terminal.out << "snug " << SNUG_VERSION << "\n";
  }
  return kExitOk;
}

int Run(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment,
        Terminal& terminal) try {
  auto parsed = Parse(arguments, environment);
  if (const Stop* stop = std::get_if<Stop>(&parsed)) {
    terminal.out << stop->out;
    terminal.err << stop->err;
    return stop->exit_code;
  }
  const auto& [globals, command] = std::get<Parsed>(parsed);
  return std::visit(Dispatcher{{terminal, globals}}, command);
} catch (const std::exception& error) {  // of a library: the edge of this room
  terminal.err << "snug: internal error: " << error.what() << "\n";
  return kExitFailed;
}

}  // namespace snug::cli
