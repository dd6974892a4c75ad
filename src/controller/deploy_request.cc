#include "controller/deploy_request.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "os/files.h"
#include "repository/layout.h"
#include "repository/limits.h"
#include "repository/repository.h"

namespace snug::controller {
namespace {

using Json = nlohmann::json;

constexpr size_t kDepartmentCharsMax = 128;
constexpr std::string_view kConfigKeys[] = {"engine",         "parser",         "threads",
                                            "instances",      "queue_limit",    "isolation",
                                            "engine_options", "parser_options", "standby_after_s"};
constexpr std::string_view kModelKeys[] = {"share",      "copies",        "department", "sharing",
                                           "keep_apart", "pinned_groups", "version",    "label"};

template <typename Keys>
bool Contains(const Keys& keys, std::string_view key) {
  return std::ranges::find(keys, key) != std::end(keys);
}

template <typename T>
Result<T> Number(const std::string& key, const std::string& text, T low, T high) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = error == std::errc() && end == text.data() + text.size() && !text.empty();
  if (whole && value >= low && value <= high) return value;
  return InvalidArgument("{}={}: expected a number from {} to {}", key, text, low, high);
}

Result<Json> Object(const std::string& key, const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_object()) return json;
  return InvalidArgument("{}={}: expected a JSON object such as {{\"precision\":\"bf16\"}}", key, text);
}

Status CheckText(const std::string& key, const std::string& text, size_t chars_max) {
  bool printable = std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (!text.empty() && text.size() <= chars_max && printable) return {};
  return InvalidArgument("{}={}: expected 1 to {} printable characters without spaces", key, text, chars_max);
}

Result<registry::Sharing> ParseSharing(const std::string& text) {
  std::vector<std::string_view> names;
  for (registry::Sharing sharing : registry::kSharings) {
    if (text == registry::Name(sharing)) return sharing;
    names.push_back(registry::Name(sharing));
  }
  return InvalidArgument("sharing={}: expected one of {}", text, fmt::join(names, ", "));
}

// "a,b"; empty: none.
Result<std::vector<std::string>> Names(const std::string& key, const std::string& text, size_t names_max) {
  std::vector<std::string> names;
  if (text.empty()) return names;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    std::string name = text.substr(begin, end - begin);
    // Groups' names obey the same rule.
    if (!repository::CheckModelName(name).ok()) {
      return InvalidArgument("{}={}: \"{}\" is no name; expected names with commas between them", key, text,
                             name);
    }
    if (Contains(names, name)) return InvalidArgument("{}={}: {} is named twice", key, text, name);
    names.push_back(std::move(name));
    begin = end + 1;
  }
  if (names.size() <= names_max) return names;
  return InvalidArgument("{}: {} names; at most {}", key, names.size(), names_max);
}

Status Override(const std::string& key, const std::string& value, Json* json) {
  if (key == "engine_options" || key == "parser_options") {
    SNUG_ASSIGN_OR_RETURN((*json)[key], Object(key, value));
  } else if (key == "threads") {
    SNUG_ASSIGN_OR_RETURN((*json)[key], Number(key, value, 1, repository::kThreadsMax));
  } else if (key == "instances") {
    SNUG_ASSIGN_OR_RETURN((*json)[key], Number(key, value, 1, repository::kInstancesMax));
  } else if (key == "queue_limit") {
    SNUG_ASSIGN_OR_RETURN((*json)[key], Number(key, value, 1, repository::kQueueLimitMax));
  } else if (key == "standby_after_s" && value != "never") {
    SNUG_ASSIGN_OR_RETURN((*json)[key], Number(key, value, 1, repository::kStandbyAfterSecondsMax));
  } else if (key == "parser" && value.empty()) {
    json->erase("parser");
    json->erase("parser_options");
  } else {
    (*json)[key] = value;
  }
  return {};
}

// Plug-ins that a folder holds: NAME.so are engines, NAME_parser.so parsers.
std::vector<std::string> Plugins(const std::string& directory, bool parsers) {
  std::vector<std::string> names;
  auto files = os::ListDir(directory);
  if (!files.ok()) return names;
  for (const std::string& file : *files) {
    if (!file.ends_with(".so") || file.starts_with("lib")) continue;
    std::string name = file.substr(0, file.size() - 3);
    bool is_parser = name.ends_with("_parser");
    if (is_parser == parsers) names.push_back(is_parser ? name.substr(0, name.size() - 7) : name);
  }
  return names;
}

Status CheckPlugin(const char* kind, const std::string& name, const std::string& directory, bool parsers) {
  auto names = Plugins(directory, parsers);
  if (names.empty() || std::ranges::find(names, name) != names.end()) return {};
  return InvalidArgument("there is no {} \"{}\"; there are: {}{}", kind, name, fmt::join(names, ", "),
                         parsers ? "" : ", auto");
}

Status CheckPlugins(const std::string& engine, const std::string& parser, const std::string& plugins_dir) {
  if (plugins_dir.empty()) return {};
  if (engine != "auto") SNUG_RETURN_IF_ERROR(CheckPlugin("engine", engine, plugins_dir, false));
  if (!parser.empty()) SNUG_RETURN_IF_ERROR(CheckPlugin("parser", parser, plugins_dir, true));
  return {};
}

// All that a pipeline needs has to come with it, so that wherever it is placed it is whole.
Status CheckSteps(const MergedConfig& config, const std::string& files_dir, const std::string& plugins_dir) {
  SNUG_RETURN_IF_ERROR(CheckPlugins("auto", config.parser, plugins_dir));
  const std::string steps = files_dir + "/" + std::string(repository::kStepsDirectory);
  for (const std::string& name : config.step_models) {
    if (!os::IsDirectory(steps + "/" + name)) {
      return InvalidArgument(
          "the pipeline's model \"{}\" is not in the upload: put it into the version's folder, as {}/{}/1",
          name, repository::kStepsDirectory, name);
    }
    auto model = repository::ReadModel(steps, name);
    if (!model.ok()) return model.status().Annotate(fmt::format("the pipeline's model \"{}\"", name));
    SNUG_RETURN_IF_ERROR(CheckPlugins(model->config.engine, model->config.parser, plugins_dir));
  }
  return {};
}

}  // namespace

Result<DeployRequest> ParseDeployQuery(const Query& query) {
  DeployRequest request;
  for (const auto& [key, value] : query) {
    if (Contains(kConfigKeys, key)) continue;
    if (key == "share") {
      SNUG_ASSIGN_OR_RETURN(request.share, Number(key, value, kShareMin, kShareMax));
    } else if (key == "copies") {
      SNUG_ASSIGN_OR_RETURN(request.copies, Number(key, value, 0, kCopiesMax));
    } else if (key == "department") {
      SNUG_RETURN_IF_ERROR(CheckText(key, value, kDepartmentCharsMax));
      request.department = value;
    } else if (key == "sharing") {
      SNUG_ASSIGN_OR_RETURN(request.sharing, ParseSharing(value));
    } else if (key == "keep_apart") {
      SNUG_ASSIGN_OR_RETURN(request.keep_apart, Names(key, value, kKeepApartMax));
    } else if (key == "pinned_groups") {
      SNUG_ASSIGN_OR_RETURN(request.pinned_groups, Names(key, value, kPinnedGroupsMax));
    } else if (key == "version") {
      SNUG_ASSIGN_OR_RETURN(request.version, repository::ParseVersion(value));
    } else if (key == "label") {
      SNUG_RETURN_IF_ERROR(CheckText(key, value, 64));
      request.label = value;
    } else {
      return InvalidArgument("unknown parameter \"{}\"; known are: {}, {}", key, fmt::join(kConfigKeys, ", "),
                             fmt::join(kModelKeys, ", "));
    }
  }
  return request;
}

Result<registry::ModelRow> MergeModel(const registry::ModelRow* old, const DeployRequest& request,
                                      const std::string& name, double now,
                                      const std::vector<registry::GroupRow>& groups) {
  registry::ModelRow row =
      old != nullptr ? *old : registry::ModelRow{name, kDepartmentDefault, kShareDefault, 1, false, now};
  row.share = request.share.value_or(row.share);
  row.copies_wanted = request.copies.value_or(row.copies_wanted);
  row.department = request.department.value_or(row.department);
  row.sharing = request.sharing.value_or(row.sharing);
  row.keep_apart = request.keep_apart.value_or(row.keep_apart);
  row.pinned_groups = request.pinned_groups.value_or(row.pinned_groups);
  if (Contains(row.keep_apart, name)) {
    return InvalidArgument(
        "keep_apart names {} itself; copies of one model are kept apart without being asked", name);
  }
  if (!request.pinned_groups) return row;  // a group that went since is placement's to explain
  std::vector<std::string> there;
  there.reserve(groups.size());
  for (const registry::GroupRow& group : groups) there.push_back(group.id);
  for (const std::string& pinned : row.pinned_groups) {
    if (Contains(there, pinned)) continue;
    return InvalidArgument("pinned_groups: there is no group {}; there are: {}", pinned,
                           there.empty() ? "none" : fmt::format("{}", fmt::join(there, ", ")));
  }
  return row;
}

Result<MergedConfig> MergeConfig(const std::string& uploaded_yaml, const Query& query,
                                 const std::string& label, int64_t version) {
  SNUG_ASSIGN_OR_RETURN(const std::string uploaded,
                        repository::ModelConfigAsJson(uploaded_yaml, "model.yaml"));
  Json json = Json::parse(uploaded);
  MergedConfig merged;
  merged.labels_left_out = json.erase("labels") > 0;
  for (const auto& [key, value] : query) {
    if (Contains(kConfigKeys, key)) SNUG_RETURN_IF_ERROR(Override(key, value, &json));
  }
  if (!label.empty()) json["labels"] = {{label, version}};
  // JSON is YAML, and needs no quoting rules of our own.
  merged.yaml = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  SNUG_ASSIGN_OR_RETURN(auto checked, repository::ParseModelConfig(merged.yaml, "the deployment"));
  merged.engine = checked.is_pipeline() ? "pipeline" : checked.engine;
  merged.parser = checked.parser;
  for (const auto& step : checked.pipeline.steps) merged.step_models.push_back(step.model);
  return merged;
}

Status CheckRunnable(const MergedConfig& config, const std::string& files_dir,
                     const std::string& plugins_dir) {
  if (!config.step_models.empty()) return CheckSteps(config, files_dir, plugins_dir);
  SNUG_RETURN_IF_ERROR(CheckPlugins(config.engine, config.parser, plugins_dir));
  SNUG_ASSIGN_OR_RETURN(repository::Layout layout, repository::DetectLayout(files_dir));
  if (layout.kind == repository::LayoutKind::kVersions) {
    return InvalidArgument("the upload holds {} versions of a model; deploy each version by itself",
                           layout.versions.size());
  }
  if (config.engine == "auto" && layout.kind == repository::LayoutKind::kOther) {
    // It begins with where the upload was unpacked, which means nothing to who sent it.
    std::string problem = layout.problem;
    if (problem.starts_with(files_dir)) problem.replace(0, files_dir.size(), "the upload");
    return InvalidArgument("{}; or name the engine that knows these files", problem);
  }
  return {};
}

}  // namespace snug::controller
