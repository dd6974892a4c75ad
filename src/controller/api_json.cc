#include "controller/api_json.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "controller/deploy_request.h"

namespace snug::controller {
namespace {

using Json = nlohmann::json;

constexpr size_t kRouteVersionsMax = 16;
constexpr int64_t kWeightMax = 10000;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Id(const std::string& model, int64_t version) {
  return fmt::format("{}@{}", model, version);
}

Json CopyToJson(const CopyView& copy) {
  return {{"version", copy.id.version},
          {"group", copy.id.group},
          {"server", copy.server},
          {"state", copy.state},
          {"reason", copy.reason},
          {"grpc", copy.grpc},
          {"rest", copy.rest},
          {"memory_bytes", copy.memory_bytes},
          {"description", copy.description},
          {"placed_because", copy.placed_because}};
}

Json VersionToJson(const VersionView& version) {
  const registry::VersionRow& row = *version.row;
  Json json{{"version", row.version},   {"state", Name(version.state)},
            {"reason", version.reason}, {"engine", row.engine},
            {"parser", row.parser},     {"digest", row.digest},
            {"bytes", row.bytes},       {"created", TimeText(row.created)}};
  if (!row.label.empty()) json["label"] = row.label;
  return json;
}

Json RouteToJson(const std::vector<registry::RouteRow>& route) {
  Json json = Json::array();
  for (const auto& row : route) json.push_back({{"version", row.version}, {"weight", row.weight}});
  return json;
}

Json ModelToJson(const ModelView& model) {
  Json json{{"name", model.row->name},
            {"department", model.row->department},
            {"share", model.row->share},
            {"sharing", registry::Name(model.row->sharing)},
            {"keep_apart", model.row->keep_apart},
            {"pinned_groups", model.row->pinned_groups},
            {"engine", model.engine},
            {"parser", model.parser},
            {"state", Name(model.state)},
            {"reason", model.reason},
            {"copies_wanted", model.row->copies_wanted},
            {"copies_ready", model.copies_ready},
            {"route_mode", model.row->route_fixed ? "fixed" : "automatic"},
            {"route", RouteToJson(model.route)},
            {"groups", model.groups},
            {"versions", Json::array()},
            {"copies", Json::array()}};
  for (const auto& version : model.versions) json["versions"].push_back(VersionToJson(version));
  for (const auto& copy : model.copies) json["copies"].push_back(CopyToJson(copy));
  return json;
}

Json GroupToJson(const registry::Tables& tables, const Knowledge& knowledge,
                 const registry::GroupRow& group) {
  double share = 0;
  Json models = Json::array(), servers = Json::array();
  for (const auto& copy : tables.copies) {
    if (copy.id.group != group.id) continue;
    models.push_back(Id(copy.id.model, copy.id.version));
    if (const auto* model = tables.Model(copy.id.model)) share += model->share;
  }
  for (const auto& server : tables.servers) {
    if (server.group == group.id) servers.push_back(server.id);
  }
  auto use = knowledge.use.find(group.id);
  return {{"id", group.id},       {"department", group.department},
          {"cores", group.cores}, {"use_ratio", use == knowledge.use.end() ? 0.0 : use->second.ratio},
          {"share_ratio", share}, {"models", models},
          {"servers", servers},   {"created", TimeText(group.created)}};
}

Json ServerToJson(const std::string& id, const std::string& group, const deploy::ObservedServer& server) {
  Json models = Json::array();
  for (const auto& copy : server.copies) models.push_back(Id(copy.model, copy.version));
  return {{"id", id},
          {"group", group},
          {"pid", server.process.pid},
          {"state", Name(server.process.state)},
          {"reason", server.process.reason},
          {"grpc_port", server.grpc_port},
          {"rest_port", server.rest_port},
          {"cpu_seconds", server.cpu_seconds},
          {"memory_bytes", server.memory_bytes},
          {"restarts", server.process.restarts},
          {"models", models}};
}

// A whole number under `key` within the bounds.
Result<int64_t> WholeNumber(const Json& json, const char* key, int64_t low, int64_t high) {
  auto it = json.find(key);
  if (it == json.end() || !it->is_number_integer() || it->get<double>() < static_cast<double>(low) ||
      it->get<double>() > static_cast<double>(high)) {
    return InvalidArgument("\"{}\": expected a whole number from {} to {}", key, low, high);
  }
  return it->get<int64_t>();
}

}  // namespace

std::string TimeText(double seconds) {
  auto whole = static_cast<std::time_t>(std::floor(seconds));
  int millis = static_cast<int>((seconds - std::floor(seconds)) * 1000);
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, millis);
}

std::string ErrorJson(const Status& status) {
  return Dump({{"error", {{"code", CodeName(status.code())}, {"message", status.text()}}}});
}

std::string ModelJson(const ModelView& model) {
  return Dump(ModelToJson(model));
}

std::string ModelsJson(const std::vector<ModelView>& models) {
  Json list = Json::array();
  for (const auto& model : models) list.push_back(ModelToJson(model));
  return Dump({{"models", list}});
}

std::string RouteJson(const std::vector<registry::RouteRow>& route) {
  return Dump(RouteToJson(route));
}

std::string DeployedJson(const std::string& name, int64_t version, const Upload& upload,
                         const std::vector<std::string>& warnings) {
  return Dump({{"name", name},
               {"version", version},
               {"digest", upload.digest},
               {"bytes", upload.bytes},
               {"files", upload.files},
               {"warnings", warnings}});
}

std::string GroupsJson(const registry::Tables& tables, const Knowledge& knowledge) {
  Json list = Json::array();
  for (const auto& group : tables.groups) list.push_back(GroupToJson(tables, knowledge, group));
  return Dump({{"groups", list}});
}

std::string ServersJson(const registry::Tables& tables, const Knowledge& knowledge) {
  Json list = Json::array();
  for (const auto& row : tables.servers) {
    auto it = knowledge.observed.servers.find(row.id);
    list.push_back(ServerToJson(
        row.id, row.group, it == knowledge.observed.servers.end() ? deploy::ObservedServer() : it->second));
  }
  for (const auto& [id, server] : knowledge.observed.servers) {
    bool known = std::ranges::find(tables.servers, id, &registry::ServerRow::id) != tables.servers.end();
    if (!known) list.push_back(ServerToJson(id, "", server));  // on its way out
  }
  return Dump({{"servers", list}});
}

std::string AuditJson(const std::vector<registry::AuditRow>& rows) {
  Json list = Json::array();
  for (const auto& row : rows) {
    list.push_back({{"time", TimeText(row.time)},
                    {"who", row.who},
                    {"action", row.action},
                    {"subject", row.subject},
                    {"detail", row.detail}});
  }
  return Dump({{"audit", list}});
}

std::string LogsJson(const std::vector<std::pair<std::string, std::string>>& logs) {
  Json list = Json::array();
  for (const auto& [server, text] : logs) list.push_back({{"server", server}, {"text", text}});
  return Dump({{"logs", list}});
}

std::string StatusJson(const StatusView& status) {
  Json processes = Json::array();
  for (const auto& [name, process] : status.processes) {
    processes.push_back({{"name", name},
                         {"pid", process.pid},
                         {"state", deploy::Name(process.state)},
                         {"reason", process.reason},
                         {"restarts", process.restarts}});
  }
  return Dump({{"version", status.version},
               {"pid", status.pid},
               {"state_dir", status.state_dir},
               {"api", status.api},
               {"front_door", status.front_door},
               {"grpc", status.front_door},
               {"ready", status.ready},
               {"processes", processes},
               {"models", status.models},
               {"warnings", status.warnings}});
}

Result<int> ParseScale(std::string_view body) {
  Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return InvalidArgument("expected a body such as {{\"copies\":2}}");
  SNUG_ASSIGN_OR_RETURN(int64_t copies, WholeNumber(json, "copies", 0, kCopiesMax));
  return static_cast<int>(copies);
}

Result<std::vector<registry::RouteRow>> ParseRoute(const std::string& model, std::string_view body) {
  Json json = Json::parse(body, nullptr, false);
  if (!json.is_array() || json.size() > kRouteVersionsMax) {
    return InvalidArgument("expected a list of at most {} entries such as [{{\"version\":3,\"weight\":90}}]",
                           kRouteVersionsMax);
  }
  std::vector<registry::RouteRow> route;
  int64_t total = 0;
  for (const Json& item : json) {
    if (!item.is_object()) return InvalidArgument("expected entries such as {{\"version\":3,\"weight\":90}}");
    SNUG_ASSIGN_OR_RETURN(int64_t version, WholeNumber(item, "version", 1, int64_t{1} << 53));
    SNUG_ASSIGN_OR_RETURN(int64_t weight, WholeNumber(item, "weight", 0, kWeightMax));
    if (std::ranges::find(route, version, &registry::RouteRow::version) != route.end()) {
      return InvalidArgument("version {} is named twice", version);
    }
    route.push_back({model, version, static_cast<int>(weight)});
    total += weight;
  }
  if (!route.empty() && total == 0) return InvalidArgument("at least one weight must be above 0");
  return route;
}

}  // namespace snug::controller
