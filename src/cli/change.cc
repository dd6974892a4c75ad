// Commands that change a deployed model: scale, route, undeploy.
#include <thread>

#include "cli/api_client.h"
#include "cli/json_access.h"
#include "cli/limits.h"
#include "cli/with_api.h"

namespace snug::cli {
namespace {

std::string ModelTarget(const std::string& name) {
  return "/api/v1/models/" + PercentEncode(name);
}

void PrintChange(const Session& session, const Json& answer, const std::string& text) {
  session.terminal.out << (session.globals.json ? Dump(answer) : text) << "\n";
}

Status Scale(const Session& session, const ApiClient& api, const ScaleOptions& options) {
  SNUG_ASSIGN_OR_RETURN(Json model,
                        api.Send("POST", ModelTarget(options.name) + "/scale", {{"copies", options.copies}}));
  PrintChange(session, model,
              fmt::format("{}: {} copies wanted, {} ready; `snug models {}` shows them", options.name,
                          options.copies, NumberOf(model, "copies_ready"), options.name));
  return {};
}

Result<Json> SetRoute(const ApiClient& api, const RouteOptions& options) {
  Json weights = Json::array();
  for (const auto& [version, weight] : options.weights)
    weights.push_back({{"version", version}, {"weight", weight}});
  return api.Send("PUT", ModelTarget(options.name) + "/route", weights);
}

std::string RouteText(const std::string& name, const Json& route, bool automatic) {
  int64_t sum = 0;
  for (const auto& entry : route) sum += NumberOf(entry, "weight");
  std::string text = name + (automatic ? " (automatic: the newest version that is ready)" : "");
  for (const auto& entry : route) {
    int64_t weight = NumberOf(entry, "weight");
    text += fmt::format("\n  version {}  weight {}  {:.1f} %", NumberOf(entry, "version"), weight,
                        sum > 0 ? 100.0 * static_cast<double>(weight) / static_cast<double>(sum) : 0.0);
  }
  return text;
}

Status Route(const Session& session, const ApiClient& api, const RouteOptions& options) {
  if (options.automatic || !options.weights.empty()) {
    SNUG_ASSIGN_OR_RETURN(Json route, SetRoute(api, options));
    PrintChange(session, route, RouteText(options.name, route, options.automatic));
    return {};
  }
  SNUG_ASSIGN_OR_RETURN(Json model, api.Get(ModelTarget(options.name)));
  const Json& route = ListOf(model, "route");
  PrintChange(session, route, RouteText(options.name, route, TextOf(model, "route_mode") == "automatic"));
  return {};
}

// OK once the model is not listed any more.
Status WaitGone(const ApiClient& api, const UndeployOptions& options) {
  auto limit = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.wait_seconds));
  TimePoint deadline = SystemClock().Now() + limit;
  while (SystemClock().Now() < deadline) {
    auto model = api.Get(ModelTarget(options.name));
    if (!model.ok()) return model.status().code() == Code::kNotFound ? Status() : model.status();
    if (TextOf(*model, "state") != "REMOVING") {
      return Error(Code::kAborted, "{} was deployed anew while it was being removed", options.name);
    }
    std::this_thread::sleep_for(kPollPause);
  }
  return Error(Code::kDeadlineExceeded,
               "{} is still being removed after {:.0f} s; it goes on: see `snug models {}`", options.name,
               options.wait_seconds, options.name);
}

Status Undeploy(const Session& session, const ApiClient& api, const UndeployOptions& options) {
  SNUG_ASSIGN_OR_RETURN(Json model, api.Send("DELETE", ModelTarget(options.name), nullptr));
  if (options.wait_seconds > 0) SNUG_RETURN_IF_ERROR(WaitGone(api, options));
  PrintChange(
      session, model,
      fmt::format("{} {}", options.name, options.wait_seconds > 0 ? "is removed" : "is being removed"));
  return {};
}

}  // namespace

int RunScale(const Session& session, const ScaleOptions& options) {
  return WithApi(session, [&](const ApiClient& api) { return Scale(session, api, options); });
}

int RunRoute(const Session& session, const RouteOptions& options) {
  return WithApi(session, [&](const ApiClient& api) { return Route(session, api, options); });
}

int RunUndeploy(const Session& session, const UndeployOptions& options) {
  return WithApi(session, [&](const ApiClient& api) { return Undeploy(session, api, options); });
}

}  // namespace snug::cli
