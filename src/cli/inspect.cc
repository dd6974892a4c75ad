// Commands that only look: models, status, logs.
#include <map>
#include <thread>

#include "cli/api_client.h"
#include "cli/json_access.h"
#include "cli/log_lines.h"
#include "cli/table.h"
#include "cli/with_api.h"

namespace snug::cli {
namespace {

constexpr auto kFollowPause = std::chrono::seconds(1);

std::string Join(const Json& list, const char* separator = ", ") {
  std::string text;
  for (const auto& item : list) {
    text += (text.empty() ? "" : separator) + (item.is_string() ? item.get<std::string>() : Dump(item));
  }
  return text;
}

// "3 (stable), 4": the versions that are loaded or on their way; retired ones only when there is no other.
std::string VersionsText(const Json& model) {
  std::string live;
  std::string retired;
  for (const auto& version : ListOf(model, "versions")) {
    std::string& text = TextOf(version, "state") == "RETIRED" ? retired : live;
    std::string label = TextOf(version, "label");
    text += (text.empty() ? "" : ", ") + std::to_string(NumberOf(version, "version"));
    if (!label.empty()) text += " (" + label + ")";
  }
  return live.empty() ? retired : live;
}

std::string CopiesText(const Json& model) {
  return fmt::format("{}/{}", NumberOf(model, "copies_ready"), NumberOf(model, "copies_wanted"));
}

std::string OrDash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string ModelsText(const Json& models) {
  Table table({{"NAME"},
               {"VERSION"},
               {"ENGINE"},
               {"PARSER"},
               {"STATE"},
               {"READY", true},
               {"GROUP"},
               {"SHARE", true}});
  for (const auto& model : models) {
    table.Add({TextOf(model, "name"), VersionsText(model), TextOf(model, "engine"),
               OrDash(TextOf(model, "parser")), TextOf(model, "state"), CopiesText(model),
               OrDash(Join(ListOf(model, "groups"))), fmt::format("{:.2f}", RealOf(model, "share"))});
  }
  return table.Text();
}

std::string Reasons(const Json& models) {
  std::string text;
  for (const auto& model : models) {
    std::string reason = TextOf(model, "reason");
    if (!reason.empty()) text += fmt::format("{}: {}\n", TextOf(model, "name"), reason);
  }
  return text;
}

std::string VersionTable(const Json& model) {
  std::map<int64_t, int64_t> weights;
  for (const auto& weight : ListOf(model, "route"))
    weights[NumberOf(weight, "version")] = NumberOf(weight, "weight");
  Table table({{"VERSION", true},
               {"LABEL"},
               {"STATE"},
               {"WEIGHT", true},
               {"ENGINE"},
               {"PARSER"},
               {"BYTES", true},
               {"CREATED"},
               {"REASON"}});
  for (const auto& version : ListOf(model, "versions")) {
    int64_t number = NumberOf(version, "version");
    table.Add({std::to_string(number), OrDash(TextOf(version, "label")), TextOf(version, "state"),
               weights.contains(number) ? std::to_string(weights[number]) : "-", TextOf(version, "engine"),
               OrDash(TextOf(version, "parser")), std::to_string(NumberOf(version, "bytes")),
               TextOf(version, "created"), TextOf(version, "reason")});
  }
  return table.Text();
}

std::string CopyTable(const Json& model) {
  Table table({{"COPY OF", true},
               {"GROUP"},
               {"SERVER"},
               {"STATE"},
               {"GRPC"},
               {"REST"},
               {"MEMORY", true},
               {"ENGINE"},
               {"REASON"}});
  for (const auto& copy : ListOf(model, "copies")) {
    table.Add({std::to_string(NumberOf(copy, "version")), TextOf(copy, "group"), TextOf(copy, "server"),
               TextOf(copy, "state"), OrDash(TextOf(copy, "grpc")), OrDash(TextOf(copy, "rest")),
               fmt::format("{} MiB", NumberOf(copy, "memory_bytes") >> 20), TextOf(copy, "description"),
               TextOf(copy, "reason")});
  }
  return table.empty() ? "no copies\n" : table.Text();
}

// Why each copy stands where it does, a line each.
std::string PlacementLines(const Json& model) {
  std::string text;
  for (const auto& copy : ListOf(model, "copies")) {
    std::string because = TextOf(copy, "placed_because");
    if (because.empty()) continue;
    text += fmt::format("version {} stands in {}: {}\n", NumberOf(copy, "version"), TextOf(copy, "group"),
                        because);
  }
  return text.empty() ? text : "\n" + text;
}

// What it asks of placement beyond its share; nothing for a model that asks for nothing.
std::string WishLine(const Json& model) {
  std::string sharing = TextOf(model, "sharing"), text;
  auto add = [&](const std::string& wish) { text += (text.empty() ? "" : "; ") + wish; };
  if (sharing == "guaranteed") add("guaranteed: requests in its group never add up to more than a card");
  if (sharing == "alone") add("alone in its group");
  if (!ListOf(model, "keep_apart").empty()) add("kept apart from " + Join(ListOf(model, "keep_apart")));
  if (!ListOf(model, "pinned_groups").empty()) add("pinned to " + Join(ListOf(model, "pinned_groups")));
  return text.empty() ? text : text + "\n";
}

Status ShowModel(const Session& session, const ApiClient& api, const std::string& name) {
  SNUG_ASSIGN_OR_RETURN(Json model, api.Get("/api/v1/models/" + PercentEncode(name)));
  std::ostream& out = session.terminal.out;
  if (session.globals.json) {
    out << Dump(model) << "\n";
    return {};
  }
  Json one = Json::array({model});
  out << ModelsText(one) << WishLine(model) << Reasons(one) << "\n"
      << VersionTable(model) << "\n"
      << CopyTable(model) << PlacementLines(model);
  return {};
}

Status ShowModels(const Session& session, const ApiClient& api) {
  SNUG_ASSIGN_OR_RETURN(Json answer, api.Get("/api/v1/models"));
  const Json& models = ListOf(answer, "models");
  std::ostream& out = session.terminal.out;
  if (session.globals.json) {
    out << Dump(answer) << "\n";
  } else if (models.empty()) {
    out << "no models are deployed: `snug deploy ./my_model_dir --name mine` deploys one\n";
  } else {
    out << ModelsText(models) << Reasons(models);
  }
  return {};
}

std::string ProcessTable(const Json& processes) {
  Table table({{"PROCESS"}, {"PID", true}, {"STATE"}, {"RESTARTS", true}, {"REASON"}});
  for (const auto& process : processes) {
    int64_t pid = NumberOf(process, "pid");
    table.Add({TextOf(process, "name"), pid > 0 ? std::to_string(pid) : "-", TextOf(process, "state"),
               std::to_string(NumberOf(process, "restarts")), TextOf(process, "reason")});
  }
  return table.Text();
}

std::string StateCounts(const Json& counts) {
  std::string text;
  if (!counts.is_object()) return text;
  for (const auto& [state, count] : counts.items()) {
    bool some = count.is_number() && count.get<int64_t>() > 0;
    if (some) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count.get<int64_t>(), state);
  }
  return text;
}

void PrintStatus(std::ostream& out, const Json& status) {
  std::string models = StateCounts(Field(status, "models"));
  out << fmt::format(
      "api         {}\nfront door  {}\nstate       {}\nversion     {}\nready       {}\nmodels      {}\n\n",
      TextOf(status, "api"), OrDash(TextOf(status, "front_door")), TextOf(status, "state_dir"),
      TextOf(status, "version"), FlagOf(status, "ready") ? "yes" : "no", models.empty() ? "none" : models);
  out << ProcessTable(ListOf(status, "processes"));
  for (const auto& warning : ListOf(status, "warnings")) {
    if (warning.is_string()) out << "warning: " << warning.get<std::string>() << "\n";
  }
}

Status ShowStatus(const Session& session, const ApiClient& api) {
  SNUG_ASSIGN_OR_RETURN(Json status, api.Get("/api/v1/status"));
  if (session.globals.json) {
    session.terminal.out << Dump(status) << "\n";
  } else {
    PrintStatus(session.terminal.out, status);
  }
  return {};
}

// Prints what each server's log has beyond `shown`.
void PrintLogs(const Session& session, const Json& answer, std::map<std::string, std::string>& shown) {
  const Json& logs = ListOf(answer, "logs");
  for (const auto& log : logs) {
    std::string server = TextOf(log, "server");
    std::string text = TextOf(log, "text");
    std::string added = NewLines(shown[server], text);
    if (!added.empty() && logs.size() > 1) session.terminal.out << "==> " << server << " <==\n";
    session.terminal.out << added << std::flush;
    shown[server] = text;
  }
}

Status ShowLogs(const Session& session, const ApiClient& api, const LogsOptions& options) {
  std::string target =
      fmt::format("/api/v1/models/{}/logs?lines={}", PercentEncode(options.name), options.lines);
  std::map<std::string, std::string> shown;
  do {
    SNUG_ASSIGN_OR_RETURN(Json answer, api.Get(target));
    if (session.globals.json) {
      session.terminal.out << Dump(answer) << std::endl;
    } else {
      PrintLogs(session, answer, shown);
    }
    if (options.follow) std::this_thread::sleep_for(kFollowPause);
  } while (options.follow && session.terminal.out.good());
  return {};
}

}  // namespace

int RunModels(const Session& session, const ModelsOptions& options) {
  return WithApi(session, [&](const ApiClient& api) {
    return options.name.empty() ? ShowModels(session, api) : ShowModel(session, api, options.name);
  });
}

int RunStatus(const Session& session) {
  return WithApi(session, [&](const ApiClient& api) { return ShowStatus(session, api); });
}

int RunLogs(const Session& session, const LogsOptions& options) {
  return WithApi(session, [&](const ApiClient& api) { return ShowLogs(session, api, options); });
}

}  // namespace snug::cli
