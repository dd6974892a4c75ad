#include "engines/openvino/model_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <vector>

namespace snug::openvino {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> FilesWith(const std::string& directory, const char* extension) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == extension) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

ModelFiles Choose(const std::string& directory, Format format, const std::vector<std::string>& names,
                  const std::string& preferred) {
  if (names.size() == 1) return {format, directory + "/" + names[0], ""};
  if (std::find(names.begin(), names.end(), preferred) != names.end())
    return {format, directory + "/" + preferred, ""};
  return {Format::kNone, "",
          fmt::format("{} holds several models ({}): keep one, or name it {}", directory,
                      fmt::join(names, ", "), preferred)};
}

}  // namespace

ModelFiles FindModel(const std::string& directory) {
  std::vector<std::string> xml = FilesWith(directory, ".xml");
  std::error_code ignored;
  std::erase_if(xml, [&](const std::string& name) {
    return !fs::exists(fs::path(directory) / fs::path(name).replace_extension(".bin"), ignored);
  });
  if (!xml.empty()) return Choose(directory, Format::kIr, xml, "model.xml");
  std::vector<std::string> onnx = FilesWith(directory, ".onnx");
  if (!onnx.empty()) return Choose(directory, Format::kOnnx, onnx, "model.onnx");
  if (fs::exists(directory + "/saved_model.pb", ignored)) return {Format::kSavedModel, directory, ""};
  return {Format::kNone, "",
          fmt::format(
              "{} holds no model that OpenVINO reads: expected NAME.xml with NAME.bin (IR), NAME.onnx, or "
              "saved_model.pb",
              directory)};
}

}  // namespace snug::openvino
