#include <algorithm>
#include <cctype>

#include "repository/class_labels.h"
#include "repository/config_sections.h"
#include "repository/limits.h"
#include "repository/repository.h"

namespace snug::repository {
namespace {

bool IsLabel(std::string_view text) {
  auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
  };
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && text.size() <= kLabelCharsMax && std::all_of(text.begin(), text.end(), allowed) &&
         !std::all_of(text.begin(), text.end(), digit);
}

}  // namespace

Result<std::map<std::string, int64_t>> ReadLabels(const Origin& origin, const YAML::Node& node) {
  std::map<std::string, int64_t> labels;
  if (node.IsNull()) return labels;
  if (!node.IsMap()) {
    return origin.At(node.Mark(), "labels: expected a map from label to version, as in `stable: 3`, got {}",
                     Describe(node));
  }
  for (const auto& pair : node) {
    if (!pair.first.IsScalar() || !IsLabel(pair.first.Scalar())) {
      return origin.At(
          pair.first.Mark(),
          "labels: expected a label of 1-{} letters, digits, '.', '_' and '-', not digits alone, got {}",
          kLabelCharsMax, Describe(pair.first));
    }
    const std::string& label = pair.first.Scalar();
    auto version =
        IsPlain(pair.second) ? ParseVersion(pair.second.Scalar()) : InvalidArgument("not a number");
    if (!version.ok()) {
      return origin.At(pair.second.Mark(), "labels: {}: expected a version (a positive integer), got {}",
                       label, Describe(pair.second));
    }
    if (!labels.emplace(label, *version).second) {
      return origin.At(pair.first.Mark(), "labels: {} is given twice", label);
    }
    if (labels.size() > kLabelsMax) return origin.At(node.Mark(), "labels: more than {}", kLabelsMax);
  }
  return labels;
}

Result<std::map<std::string, std::string>> ReadClassFiles(const Origin& origin, const YAML::Node& node) {
  std::map<std::string, std::string> files;
  if (!node.IsMap()) {
    return origin.At(node.Mark(),
                     "class_labels: expected a map from output to a file, as in `y: labels.txt`, got {}",
                     Describe(node));
  }
  for (const auto& pair : node) {
    const bool named = pair.first.IsScalar() && !pair.first.Scalar().empty() &&
                       pair.first.Scalar().size() <= kTensorNameBytesMax;
    if (!named)
      return origin.At(pair.first.Mark(), "class_labels: expected an output's name, got {}",
                       Describe(pair.first));
    const std::string& output = pair.first.Scalar();
    const Status file = pair.second.IsScalar() ? CheckClassFile(pair.second.Scalar())
                                               : InvalidArgument("expected the name of a file");
    if (!file.ok()) {
      return origin.At(pair.second.Mark(), "class_labels: {}: {}, got {}", output, file.text(),
                       Describe(pair.second));
    }
    if (!files.emplace(output, pair.second.Scalar()).second)
      return origin.At(pair.first.Mark(), "class_labels: {} is given twice", output);
    if (files.size() > kClassFilesMax)
      return origin.At(node.Mark(), "class_labels: more than {}", kClassFilesMax);
  }
  return files;
}

}  // namespace snug::repository
