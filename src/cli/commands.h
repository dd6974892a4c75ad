// The commands. Each prints what it did and returns the program's exit status; errors have been printed then.
#pragma once

#include "base/status.h"
#include "cli/arguments.h"
#include "cli/terminal.h"

namespace snug::cli {

struct Session {
  Terminal& terminal;
  const Globals& globals;
};

// Prints an error (as JSON with --json) and gives its exit status.
int Fail(const Session& session, const Status& status);

// "snug", or "snug --state DIR" where that was given: what hints for the same platform begin with.
std::string SnugCommand(const Globals& globals);

// What asks for `url`. With a token file its first token is sent; it is read when the command runs, never
// shown.
std::string CurlCommand(const std::string& url, const std::string& token_file);

int RunUp(const Session& session, const UpOptions& options);
int RunDown(const Session& session, const DownOptions& options);
int RunSupervise(const Session& session);
int RunDeploy(const Session& session, const DeployOptions& options);
int RunPredict(const Session& session, const PredictOptions& options);
int RunMeasure(const Session& session, const MeasureOptions& options);
int RunModels(const Session& session, const ModelsOptions& options);
int RunScale(const Session& session, const ScaleOptions& options);
int RunRoute(const Session& session, const RouteOptions& options);
int RunUndeploy(const Session& session, const UndeployOptions& options);
int RunStatus(const Session& session);
int RunLogs(const Session& session, const LogsOptions& options);
int RunVersion(const Session& session);

// The whole program but for the process's own streams and environment.
int Run(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment,
        Terminal& terminal);

}  // namespace snug::cli
