#include <algorithm>
#include <filesystem>

#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/json_access.h"
#include "cli/limits.h"
#include "cli/model_archive.h"
#include "cli/model_metadata.h"
#include "repository/repository.h"

namespace snug::cli {
namespace {

std::string QueryValue(const DeployOptions& options, const std::string& key) {
  auto found = std::find_if(options.query.begin(), options.query.end(),
                            [&](const auto& pair) { return pair.first == key; });
  return found == options.query.end() ? "" : found->second;
}

// The last part of the path that is no version: "ocr" of ./ocr, ./ocr/3 and ./ocr.onnx
Result<std::string> NameFromPath(const std::string& path) {
  std::filesystem::path absolute = std::filesystem::absolute(path).lexically_normal();
  if (absolute.filename().empty()) absolute = absolute.parent_path();
  if (repository::ParseVersion(absolute.filename().string()).ok()) absolute = absolute.parent_path();
  std::string name = absolute.extension() == ".onnx" || absolute.extension() == ".xml"
                         ? absolute.stem().string()
                         : absolute.filename().string();
  if (repository::CheckModelName(name).ok()) return name;
  return InvalidArgument("{} gives no good name for a model: add --name NAME", path);
}

std::string DeployTarget(const DeployOptions& options, const std::string& name,
                         std::optional<int64_t> version) {
  std::string target = "/api/v1/models/" + PercentEncode(name) + "/versions";
  char separator = '?';
  auto add = [&](const std::string& key, const std::string& value) {
    target += separator + key + "=" + PercentEncode(value);
    separator = '&';
  };
  for (const auto& [key, value] : options.query) add(key, value);
  if (version) add("version", std::to_string(*version));
  return target;
}

const Json& VersionOf(const Json& model, int64_t version) {
  static const Json none;
  for (const auto& entry : ListOf(model, "versions")) {
    if (NumberOf(entry, "version") == version) return entry;
  }
  return none;
}

// One line on a terminal that is written over again and again.
class Progress {
 public:
  explicit Progress(const Terminal& terminal) : terminal_(terminal) {}
  ~Progress() { Show(""); }
  void Show(const std::string& text) {
    if (!terminal_.err_is_terminal || (text.empty() && shown_.empty())) return;
    terminal_.err << "\r" << std::string(shown_.size(), ' ') << "\r" << text << std::flush;
    shown_ = text;
  }

 private:
  const Terminal& terminal_;
  std::string shown_;
};

Status NotReadyInTime(const std::string& name, int64_t version, const Json& entry, double seconds) {
  std::string reason = TextOf(entry, "reason");
  return Error(Code::kDeadlineExceeded,
               "{} version {} is deployed but not ready after {:.0f} s: {}{}. It goes on loading: `snug "
               "models {}` shows "
               "how it is, `snug logs {}` why",
               name, version, seconds, TextOf(entry, "state"), reason.empty() ? "" : ", " + reason, name,
               name);
}

// Waits for the version; the model's newest JSON when it is ready (or wants no copies).
Result<Json> WaitReady(const Session& session, const ApiClient& api, const std::string& name, int64_t version,
                       double seconds) {
  Progress progress(session.terminal);
  TimePoint begin = SystemClock().Now();
  std::string target = "/api/v1/models/" + PercentEncode(name);
  for (;;) {
    double waited = Seconds(SystemClock().Now() - begin);
    auto slice_ms = static_cast<int64_t>(std::clamp((seconds - waited), 0.0, Seconds(kWaitSlice)) * 1000);
    if (session.terminal.err_is_terminal) slice_ms = std::min<int64_t>(slice_ms, 1000);
    std::string wait = fmt::format("?wait_ready_ms={}&version={}", slice_ms, version);
    SNUG_ASSIGN_OR_RETURN(
        Json model, api.Get(target + wait, std::chrono::milliseconds(slice_ms) + std::chrono::seconds(30)));
    const Json& entry = VersionOf(model, version);
    std::string state = TextOf(entry, "state");
    if (state == "READY" || state == "STOPPED") return model;
    if (state == "FAILED") {
      return FailedPrecondition(
          "{} version {} cannot be loaded: {}. `snug logs {}` may say more; `snug undeploy {}` removes it",
          name, version, TextOf(entry, "reason"), name, name);
    }
    if (state == "RETIRED" || entry.is_null()) {
      return Error(Code::kAborted, "{} version {} was retired or removed while it loaded", name, version);
    }
    waited = Seconds(SystemClock().Now() - begin);
    if (waited >= seconds) return NotReadyInTime(name, version, entry, seconds);
    progress.Show(fmt::format("{} version {}: {}, {:.0f} s", name, version, state, waited));
  }
}

void PrintWarnings(const Session& session, const Json& deployed) {
  for (const auto& warning : ListOf(deployed, "warnings")) {
    if (warning.is_string()) session.terminal.err << "snug: warning: " << warning.get<std::string>() << "\n";
  }
}

std::string Placement(const Json& model, int64_t version) {
  std::string text;
  for (const auto& copy : ListOf(model, "copies")) {
    if (NumberOf(copy, "version") != version) continue;
    if (text.empty()) text = TextOf(copy, "description");
  }
  return text;
}

void PrintTryIt(const Session& session, const std::string& name, const std::string& parser,
                const std::string& door) {
  std::ostream& out = session.terminal.out;
  std::string snug = SnugCommand(session.globals);
  out << "try it:\n";
  if (parser.empty()) {
    out << fmt::format("  {} predict {} --zeros\n", snug, name);
    out << fmt::format("  curl http://{}/v2/models/{}\n", door, name);
  } else {
    out << fmt::format("  {} predict {} --file FILE\n", snug, name);
    out << fmt::format("  curl --data-binary @FILE http://{}/v1/predict/{}\n", door, name);
  }
}

void PrintReady(const Session& session, const ApiClient& api, const Json& model, int64_t version) {
  std::string name = TextOf(model, "name");
  std::ostream& out = session.terminal.out;
  std::string placement = Placement(model, version);
  out << fmt::format("ready: {} version {}{}\n", name, version, placement.empty() ? "" : " on " + placement);
  auto door = api.FrontDoor();
  if (!door.ok() || TextOf(VersionOf(model, version), "state") == "STOPPED") return;
  auto metadata = FetchMetadata(*door, name, std::to_string(version));
  if (metadata.ok()) out << MetadataText(*metadata);
  PrintTryIt(session, name, TextOf(VersionOf(model, version), "parser"), *door);
}

Status Deploy(const Session& session, const DeployOptions& options) {
  std::string name = options.name;
  if (name.empty()) {
    SNUG_ASSIGN_OR_RETURN(name, NameFromPath(options.path));
  }
  std::string engine = QueryValue(options, "engine");
  SNUG_ASSIGN_OR_RETURN(ModelArchive archive,
                        ModelArchive::Pack(options.path, engine.empty() ? "auto" : engine, options.version));
  SNUG_ASSIGN_OR_RETURN(ApiClient api, ApiClient::Create(session.globals));
  auto wanted = options.version ? options.version : archive.version();
  SNUG_ASSIGN_OR_RETURN(Json deployed, api.Upload(DeployTarget(options, name, wanted), archive.file()));
  int64_t version = NumberOf(deployed, "version");
  PrintWarnings(session, deployed);
  bool json = session.globals.json;
  if (!json) {
    session.terminal.out << fmt::format("deployed: {} version {}, {}, {} {}, {} bytes\n", name, version,
                                        archive.kind(), archive.files(),
                                        archive.files() == 1 ? "file" : "files", archive.bytes());
  }
  if (options.wait_seconds <= 0) {
    if (json) session.terminal.out << Dump({{"deployed", deployed}}) << "\n";
    return {};
  }
  SNUG_ASSIGN_OR_RETURN(Json model, WaitReady(session, api, name, version, options.wait_seconds));
  if (json) {
    session.terminal.out << Dump({{"deployed", deployed}, {"model", model}}) << "\n";
  } else {
    PrintReady(session, api, model, version);
  }
  return {};
}

}  // namespace

int RunDeploy(const Session& session, const DeployOptions& options) {
  Status status = Deploy(session, options);
  return status.ok() ? kExitOk : Fail(session, status);
}

}  // namespace snug::cli
