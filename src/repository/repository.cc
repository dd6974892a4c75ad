#include "repository/repository.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "os/files.h"
#include "repository/limits.h"

namespace snug::repository {
namespace {

namespace fs = std::filesystem;

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

bool IsDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<std::string> Resolve(const std::string& path) {
  std::error_code error;
  fs::path resolved = fs::canonical(path, error);
  if (error) return ErrnoError(error.value(), path);
  return resolved.string();
}

bool LiesIn(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory == "/" ? directory : directory + "/");
}

// Links may point within `directory` (as those of a mounted ConfigMap do), not out of it.
Status CheckInside(const std::string& path, const std::string& directory) {
  SNUG_ASSIGN_OR_RETURN(std::string resolved, Resolve(path));
  if (LiesIn(resolved, directory)) return {};
  return Error(Code::kPermissionDenied,
               "{} is a link that leaves {}; only version directories may be links to elsewhere", path,
               directory);
}

Result<ModelConfig> ReadConfig(const std::string& directory) {
  const std::string path = directory + "/model.yaml";
  if (!os::Exists(path)) {
    if (!os::Exists(directory + "/model.yml")) return ModelConfig{};
    return InvalidArgument("{}/model.yml is not read: rename it to model.yaml", directory);
  }
  SNUG_RETURN_IF_ERROR(CheckInside(path, directory));
  if (!fs::is_regular_file(path)) return InvalidArgument("{} is not a file", path);
  SNUG_ASSIGN_OR_RETURN(std::string text, os::ReadFile(path, kModelYamlBytesMax));
  return ParseModelConfig(text, path);
}

std::string FirstNames(const std::vector<std::string>& names) {
  constexpr size_t kShownMax = 8;
  if (names.empty()) return "nothing";
  size_t shown = std::min(names.size(), kShownMax);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<ptrdiff_t>(shown), ", "));
  return shown == names.size() ? text : text + ", …";
}

Status AddVersion(std::map<int64_t, ModelVersion>& versions, const std::string& directory,
                  const std::string& name) {
  const std::string path = directory + "/" + name;
  if (!IsDigits(name) || !os::IsDirectory(path) || os::Exists(path + "/" + kIncompleteMarker)) return {};
  auto version = ParseVersion(name);
  if (!version.ok()) return version.status().Annotate(path);
  auto [at, is_new] = versions.emplace(*version, ModelVersion{*version, path});
  if (!is_new)
    return InvalidArgument("{} and {} are both version {}: remove one", at->second.directory, path, *version);
  if (versions.size() > kVersionsMax) {
    return Error(Code::kResourceExhausted, "{}: more than {} versions", directory, kVersionsMax);
  }
  return {};
}

// `root` is resolved already.
Result<ModelEntry> ReadModelAt(const std::string& root, const std::string& name) {
  SNUG_RETURN_IF_ERROR(CheckModelName(name));
  ModelEntry model;
  model.name = name;
  model.directory = root + "/" + name;
  if (!os::IsDirectory(model.directory))
    return NotFound("no directory {} for model \"{}\"", model.directory, name);
  SNUG_RETURN_IF_ERROR(CheckInside(model.directory, root));
  SNUG_ASSIGN_OR_RETURN(model.directory, Resolve(model.directory));
  SNUG_ASSIGN_OR_RETURN(model.config, ReadConfig(model.directory));
  SNUG_ASSIGN_OR_RETURN(model.versions, ReadVersions(model.directory));
  return model;
}

std::string VersionsAndLabels(const ModelEntry& model) {
  std::vector<std::string> versions;
  for (const auto& [version, unused] : model.versions) versions.push_back(std::to_string(version));
  std::vector<std::string> labels;
  for (const auto& [label, version] : model.config.labels) labels.push_back(label);
  return fmt::format("versions: {}; labels: {}", FirstNames(versions),
                     labels.empty() ? "none" : FirstNames(labels));
}

}  // namespace

Status CheckModelName(std::string_view name) {
  const bool fits = !name.empty() && name.size() <= kModelNameCharsMax && name[0] != '.' && name[0] != '-' &&
                    std::all_of(name.begin(), name.end(), IsNameChar);
  if (fits) return {};
  return InvalidArgument(
      "model name \"{}\": expected 1-{} letters, digits, '.', '_' and '-', beginning with a letter, digit or "
      "'_'",
      name.substr(0, kModelNameCharsMax), kModelNameCharsMax);
}

Result<int64_t> ParseVersion(std::string_view text) {
  int64_t version = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  const bool whole = IsDigits(text) && error == std::errc{} && end == text.data() + text.size();
  if (whole && version >= 1 && version <= kVersionMax) return version;
  return InvalidArgument("version \"{}\": expected a whole number from 1 to {}", text.substr(0, 40),
                         kVersionMax);
}

Result<std::map<int64_t, ModelVersion>> ReadVersions(const std::string& directory) {
  std::map<int64_t, ModelVersion> versions;
  SNUG_ASSIGN_OR_RETURN(const std::vector<std::string> names, os::ListDir(directory));
  for (const std::string& name : names) SNUG_RETURN_IF_ERROR(AddVersion(versions, directory, name));
  if (!versions.empty()) return versions;
  return NotFound("{} holds no version: expected a directory named by a positive integer, as {}/1, found {}",
                  directory, directory, FirstNames(names));
}

Result<ModelEntry> ReadModel(const std::string& root, const std::string& name) {
  SNUG_RETURN_IF_ERROR(CheckModelName(name));
  SNUG_ASSIGN_OR_RETURN(std::string resolved, Resolve(root));
  return ReadModelAt(resolved, name);
}

Result<std::vector<std::string>> ModelNames(const std::string& root) {
  SNUG_ASSIGN_OR_RETURN(std::vector<std::string> names, os::ListDir(root));
  std::erase_if(
      names, [&](const std::string& name) { return name[0] == '.' || !os::IsDirectory(root + "/" + name); });
  if (names.size() > kModelsMax)
    return Error(Code::kResourceExhausted, "{}: more than {} models", root, kModelsMax);
  return names;
}

Result<ScanResult> Scan(const std::string& root) {
  SNUG_ASSIGN_OR_RETURN(std::string resolved, Resolve(root));
  SNUG_ASSIGN_OR_RETURN(const std::vector<std::string> names, ModelNames(resolved));
  ScanResult result;
  for (const std::string& name : names) {
    auto model = ReadModelAt(resolved, name);
    if (model.ok())
      result.models.push_back(std::move(model).value());
    else
      result.broken.emplace(name, model.status());
  }
  return result;
}

Result<int64_t> ResolveVersion(const ModelEntry& model, std::string_view wanted) {
  const auto& labels = model.config.labels;
  auto label = labels.find(wanted.empty() ? "default" : std::string(wanted));
  int64_t version = 0;
  if (label != labels.end()) {
    version = label->second;
  } else if (wanted.empty() && !model.versions.empty()) {
    return model.versions.rbegin()->first;
  } else if (auto number = ParseVersion(wanted); number.ok()) {
    version = *number;
  }
  if (model.versions.contains(version)) return version;
  if (label != labels.end()) {
    return NotFound("model \"{}\": label \"{}\" stands for version {}, which is not there; {}", model.name,
                    label->first, version, VersionsAndLabels(model));
  }
  return NotFound("model \"{}\" has no version or label \"{}\"; {}", model.name,
                  wanted.substr(0, kLabelCharsMax), VersionsAndLabels(model));
}

}  // namespace snug::repository
