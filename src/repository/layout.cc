#include "repository/layout.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "os/files.h"
#include "repository/limits.h"
#include "repository/repository.h"

namespace snug::repository {
namespace {

namespace fs = std::filesystem;

struct Listing {
  std::string directory;
  std::vector<std::string> names;  // without hidden ones

  std::vector<std::string> WithExtension(std::string_view extension) const {
    std::vector<std::string> found;
    for (const std::string& name : names) {
      if (name.ends_with(extension) && name.size() > extension.size()) found.push_back(name);
    }
    return found;
  }
  bool Has(std::string_view name) const { return std::find(names.begin(), names.end(), name) != names.end(); }
  std::string Path(std::string_view name) const { return fmt::format("{}/{}", directory, name); }
};

Result<Listing> List(const std::string& directory) {
  Listing listing{directory, {}};
  SNUG_ASSIGN_OR_RETURN(listing.names, os::ListDir(directory));
  std::erase_if(listing.names, [](const std::string& name) { return name.starts_with("."); });
  return listing;
}

std::string BinOf(const std::string& xml) {
  return xml.substr(0, xml.size() - 4) + ".bin";
}

Result<std::map<int64_t, std::string>> Versions(const Listing& listing) {
  std::map<int64_t, std::string> versions;
  for (const std::string& name : listing.names) {
    auto version = ParseVersion(name);
    if (!version.ok() || !os::IsDirectory(listing.Path(name))) continue;
    auto [at, is_new] = versions.emplace(*version, listing.Path(name));
    if (!is_new)
      return InvalidArgument("{} and {} are both version {}: remove one", at->second, listing.Path(name),
                             *version);
    if (versions.size() > kVersionsMax)
      return InvalidArgument("{}: more than {} versions", listing.directory, kVersionsMax);
  }
  return versions;
}

// A directory in `listing` that itself holds versions: then somebody named the repository instead of a model
// in it.
std::string ModelInside(const Listing& listing) {
  for (const std::string& name : listing.names) {
    if (!os::IsDirectory(listing.Path(name))) continue;
    auto inner = List(listing.Path(name));
    if (!inner.ok()) continue;
    auto versions = Versions(*inner);
    if (versions.ok() && !versions->empty()) return listing.Path(name);
  }
  return "";
}

Status CheckOne(const Listing& listing, const std::vector<std::string>& files, std::string_view extension) {
  if (files.size() == 1) return {};
  return InvalidArgument("{} holds {} {} files ({}): expected one; deploy the file itself, as {}",
                         listing.directory, files.size(), extension, fmt::join(files, ", "),
                         listing.Path(files[0]));
}

Status CheckBin(const std::string& xml_path) {
  if (os::Exists(BinOf(xml_path))) return {};
  return InvalidArgument("{} has no weights: expected {} beside it (OpenVINO writes both)", xml_path,
                         BinOf(xml_path));
}

// A folder of ten thousand images does not become a text of ten thousand names.
constexpr size_t kNamesShownMax = 8;

std::string NamesFound(const Listing& listing) {
  const auto& names = listing.names;
  if (names.size() <= kNamesShownMax) return fmt::format("{}", fmt::join(names, ", "));
  auto end = names.begin() + kNamesShownMax;
  return fmt::format("{} and {} more", fmt::join(names.begin(), end, ", "), names.size() - kNamesShownMax);
}

Result<Layout> Other(const Listing& listing, Layout layout) {
  if (std::string model = ModelInside(listing); !model.empty()) {
    return InvalidArgument("{} looks like a repository of models: deploy one of them, as {}",
                           listing.directory, model);
  }
  layout.kind = LayoutKind::kOther;
  layout.problem = fmt::format(
      "{} is no model that is known by its files: expected saved_model.pb, one .onnx, one .xml with its "
      ".bin, or "
      "directories named by version (1, 2, …); found {}",
      listing.directory, NamesFound(listing));
  return layout;
}

Result<Layout> DetectDirectory(const Listing& listing) {
  if (listing.names.empty()) return InvalidArgument("{} is empty: expected a model", listing.directory);
  Layout layout;
  layout.directory = listing.directory;
  if (listing.Has("model.yaml")) layout.model_yaml = listing.Path("model.yaml");
  if (listing.Has("saved_model.pb") || listing.Has("saved_model.pbtxt")) {
    layout.kind = LayoutKind::kSavedModel;
    return layout;
  }
  if (auto onnx = listing.WithExtension(".onnx"); !onnx.empty()) {
    SNUG_RETURN_IF_ERROR(CheckOne(listing, onnx, ".onnx"));
    layout.kind = LayoutKind::kOnnx;
    return layout;
  }
  if (auto xml = listing.WithExtension(".xml"); !xml.empty()) {
    SNUG_RETURN_IF_ERROR(CheckOne(listing, xml, ".xml"));
    SNUG_RETURN_IF_ERROR(CheckBin(listing.Path(xml[0])));
    layout.kind = LayoutKind::kOpenVino;
    return layout;
  }
  SNUG_ASSIGN_OR_RETURN(layout.versions, Versions(listing));
  if (layout.versions.empty()) return Other(listing, std::move(layout));
  layout.kind = LayoutKind::kVersions;
  return layout;
}

// ONNX files over 2 GB keep their weights in NAME.onnx.data or NAME.onnx_data.
std::vector<std::string> OnnxFiles(const fs::path& file) {
  std::vector<std::string> files{file.filename().string()};
  for (const char* suffix : {".data", "_data"}) {
    if (os::Exists(file.string() + suffix)) files.push_back(file.filename().string() + suffix);
  }
  return files;
}

Result<Layout> DetectFile(const fs::path& file) {
  Layout layout;
  layout.directory = file.parent_path().string();
  if (file.extension() == ".onnx") {
    layout.kind = LayoutKind::kOnnx;
    layout.files = OnnxFiles(file);
    return layout;
  }
  if (file.extension() == ".xml") {
    SNUG_RETURN_IF_ERROR(CheckBin(file.string()));
    layout.kind = LayoutKind::kOpenVino;
    layout.files = {file.filename().string(), BinOf(file.filename().string())};
    return layout;
  }
  if (file.filename() == "saved_model.pb") {
    return InvalidArgument("{} is a part of a SavedModel: deploy its directory, {}", file.string(),
                           layout.directory);
  }
  return InvalidArgument("{}: expected an .onnx file, an .xml file of OpenVINO, or a directory",
                         file.string());
}

}  // namespace

std::string LayoutName(LayoutKind kind) {
  switch (kind) {
    case LayoutKind::kVersions:
      return "a directory of versions";
    case LayoutKind::kSavedModel:
      return "a TensorFlow SavedModel";
    case LayoutKind::kOnnx:
      return "an ONNX model";
    case LayoutKind::kOpenVino:
      return "an OpenVINO model";
    case LayoutKind::kOther:
      break;
  }
  return "files of an unknown kind";
}

Result<Layout> DetectLayout(const std::string& path) {
  std::error_code error;
  fs::path resolved = fs::canonical(path, error);
  if (error) return ErrnoError(error.value(), path);
  if (!os::IsDirectory(resolved.string())) return DetectFile(resolved);
  SNUG_ASSIGN_OR_RETURN(Listing listing, List(resolved.string()));
  return DetectDirectory(listing);
}

}  // namespace snug::repository
