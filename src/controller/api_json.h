// The JSON of the REST API (api/openapi.yaml), both ways. All JSON of the controller's API is here.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "controller/store.h"
#include "controller/view.h"

namespace snug::controller {

struct StatusView {
  std::string version, state_dir, api, front_door;
  int64_t pid = 0;
  bool ready = false;
  std::vector<std::pair<std::string, deploy::ObservedProcess>> processes;
  std::map<std::string, int> models;  // state → how many
  std::vector<std::string> warnings;
};

// {"error":{"code":…,"message":…}}
std::string ErrorJson(const Status& status);
std::string ModelJson(const ModelView& model);
std::string ModelsJson(const std::vector<ModelView>& models);
std::string RouteJson(const std::vector<registry::RouteRow>& route);
std::string DeployedJson(const std::string& name, int64_t version, const Upload& upload,
                         const std::vector<std::string>& warnings);
std::string GroupsJson(const registry::Tables& tables, const Knowledge& knowledge);
std::string ServersJson(const registry::Tables& tables, const Knowledge& knowledge);
std::string AuditJson(const std::vector<registry::AuditRow>& rows);
std::string LogsJson(const std::vector<std::pair<std::string, std::string>>& logs);
std::string StatusJson(const StatusView& status);

// {"copies":n} with 0 <= n <= kCopiesMax.
Result<int> ParseScale(std::string_view body);
// [{"version":3,"weight":90},…]; no version twice.
Result<std::vector<registry::RouteRow>> ParseRoute(const std::string& model, std::string_view body);

// "2026-11-22T10:00:00.123Z"
std::string TimeText(double seconds);

}  // namespace snug::controller
