#include "repository/class_labels.h"

#include "os/files.h"
#include "repository/limits.h"

namespace snug::repository {

std::vector<std::string> SplitLabels(std::string_view text) {
  std::vector<std::string> labels;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    labels.emplace_back(line);
  }
  return labels;
}

Status CheckClassFile(std::string_view file) {
  const bool good = !file.empty() && file.size() <= kModelNameCharsMax && file[0] != '.' &&
                    file.find('/') == std::string_view::npos && file.find('\0') == std::string_view::npos;
  if (good) return {};
  return InvalidArgument("expected the name of a file of 1-{} characters, without directories",
                         kModelNameCharsMax);
}

Result<ClassLabels> LoadClassLabels(const std::map<std::string, std::string>& files,
                                    const std::string& version_directory,
                                    const std::string& model_directory) {
  ClassLabels labels;
  for (const auto& [output, file] : files) {
    std::string path = version_directory + "/" + file;
    if (!os::Exists(path)) path = model_directory + "/" + file;
    auto text = os::ReadFile(path, kClassFileBytesMax);
    if (!text.ok()) {
      return text.status().Annotate(fmt::format("class_labels of output \"{}\" (looked for in {} and {})",
                                                output, version_directory, model_directory));
    }
    labels[output] = SplitLabels(*text);
  }
  return labels;
}

}  // namespace snug::repository
