#include "parsers/ocr/options.h"

#include <nlohmann/json.hpp>

namespace snug::ocr {
namespace {

using nlohmann::json;

Status WrongType(const std::string& key, std::string_view expected, const json& value) {
  return InvalidArgument("parser option \"{}\": expected {}, got {}", key, expected,
                         value.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 40));
}

Status ReadSide(const std::string& key, const json& value, int& side) {
  if (!value.is_number_integer() || value < 1 || value > kTargetSideMax) {
    return WrongType(key, fmt::format("a whole number from 1 to {}", kTargetSideMax), value);
  }
  side = value.get<int>();
  return {};
}

Status ReadTruth(const std::string& key, const json& value, bool& truth) {
  if (!value.is_boolean()) return WrongType(key, "true or false", value);
  truth = value.get<bool>();
  return {};
}

Status ReadOption(const std::string& key, const json& value, Options& options) {
  if (key == "dictionary") {
    if (!value.is_string() || value.get_ref<const std::string&>().empty())
      return WrongType(key, "a file's name", value);
    options.dictionary = value.get<std::string>();
    return {};
  }
  if (key == "chars") return ReadTruth(key, value, options.chars);
  if (key == "own_width") return ReadTruth(key, value, options.own_width);
  if (key == "height") return ReadSide(key, value, options.height);
  if (key == "width") return ReadSide(key, value, options.width);
  return InvalidArgument(
      "unknown parser option \"{}\"; known ones: dictionary, chars, height, width, own_width",
      key.substr(0, 40));
}

int SideOf(int64_t dimension, int otherwise) {
  return dimension < 0 ? otherwise : static_cast<int>(dimension);
}

bool IsSide(int64_t dimension) {
  return dimension == -1 || (dimension >= 1 && dimension <= kTargetSideMax);
}

bool IsOne(int64_t dimension) {
  return dimension == 1 || dimension == -1;
}

}  // namespace

Result<Options> ParseOptions(std::string_view text) {
  const json values = json::parse(text, nullptr, false);
  if (!values.is_object()) return InvalidArgument("parser options: expected a JSON object");
  Options options;
  for (const auto& [key, value] : values.items()) SNUG_RETURN_IF_ERROR(ReadOption(key, value, options));
  return options;
}

Result<bool> ParseSwitch(std::string_view name, std::string_view text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return InvalidArgument("parameter \"{}\": expected true or false, got \"{}\"", name, text.substr(0, 40));
}

Result<Target> TargetOf(const TensorSpec& input, const Options& options) {
  const Shape& shape = input.shape;
  const bool image = input.dtype == DType::kFp32 && shape.size() == 4 && IsOne(shape[0]);
  if (image && shape[1] == kChannels && IsSide(shape[2]) && IsSide(shape[3])) {
    return Target{SideOf(shape[2], options.height), SideOf(shape[3], options.width), Layout::kNchw};
  }
  if (image && shape[3] == kChannels && IsSide(shape[1]) && IsSide(shape[2])) {
    return Target{SideOf(shape[1], options.height), SideOf(shape[2], options.width), Layout::kNhwc};
  }
  return FailedPrecondition(
      "the OCR parser needs a model with an input of FP32 [1,3,height,width] or [1,height,width,3], sides at "
      "most {}; "
      "input \"{}\" is {} {}",
      kTargetSideMax, input.name, DTypeName(input.dtype), ShapeText(shape));
}

bool HasFreeWidth(const TensorSpec& input, const Target& target) {
  return input.shape[target.layout == Layout::kNchw ? 3 : 2] == -1;
}

Status CheckOutputSpec(const TensorSpec& output, size_t classes) {
  const Shape& shape = output.shape;
  const bool fits =
      output.dtype == DType::kFp32 && (shape.size() == 2 || (shape.size() == 3 && IsOne(shape[0])));
  if (!fits) {
    return FailedPrecondition(
        "the OCR parser needs a model with an output of FP32 [1,steps,classes] or [steps,classes]; output "
        "\"{}\" is {} {}",
        output.name, DTypeName(output.dtype), ShapeText(shape));
  }
  if (shape.back() == -1 || shape.back() == static_cast<int64_t>(classes)) return {};
  return FailedPrecondition(
      "the dictionary has {} entries, so the model should tell {} classes apart (blank, the entries, space), "
      "but output "
      "\"{}\" is {}: is it the dictionary of this model?",
      classes - 2, classes, output.name, ShapeText(shape));
}

}  // namespace snug::ocr
