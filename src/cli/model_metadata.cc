#include "cli/model_metadata.h"

#include <algorithm>

#include "cli/api_client.h"
#include "cli/json_access.h"
#include "cli/limits.h"
#include "cli/table.h"
#include "os/http_client.h"

namespace snug::cli {
namespace {

Result<TensorSpec> ParseSpec(const Json& json) {
  TensorSpec spec;
  spec.name = TextOf(json, "name");
  auto dtype = DTypeFromName(TextOf(json, "datatype"));
  if (spec.name.empty() || !dtype) return Internal("the model's metadata are not KServe v2: {}", Dump(json));
  spec.dtype = *dtype;
  for (const auto& dim : ListOf(json, "shape"))
    spec.shape.push_back(dim.is_number() ? dim.get<int64_t>() : -1);
  return spec;
}

Result<std::vector<TensorSpec>> ParseSpecs(const Json& list) {
  std::vector<TensorSpec> specs;
  for (const auto& json : list) {
    SNUG_ASSIGN_OR_RETURN(TensorSpec spec, ParseSpec(json));
    specs.push_back(std::move(spec));
  }
  return specs;
}

Result<Shape> ZerosShape(const TensorSpec& spec, const std::map<std::string, std::vector<int64_t>>& shapes) {
  auto given = shapes.find(spec.name);
  if (given != shapes.end()) {
    if (ShapeFits(given->second, spec.shape)) return given->second;
    return InvalidArgument("--shape {}={} does not fit the model's {}", spec.name, ShapeText(given->second),
                           ShapeText(spec.shape));
  }
  Shape shape = spec.shape;
  std::replace_if(
      shape.begin(), shape.end(), [](int64_t dim) { return dim < 0; }, int64_t{1});
  return shape;
}

Json Zero(DType dtype) {
  if (dtype == DType::kBytes) return "";
  if (dtype == DType::kBool) return false;
  return 0;
}

std::string ElementText(const Json& value) {
  return value.is_string() ? value.get<std::string>() : Dump(value);
}

// All numbers below `data`, which clients may nest as the shape does; at most `limit`.
void Flatten(const Json& data, size_t limit, std::vector<std::string>& texts) {
  for (const auto& value : data) {
    if (texts.size() >= limit) return;
    if (value.is_array()) {
      Flatten(value, limit, texts);
    } else {
      texts.push_back(ElementText(value));
    }
  }
}

}  // namespace

std::string ModelPath(std::string_view prefix, const std::string& name, const std::string& version) {
  std::string path = std::string(prefix) + PercentEncode(name);
  if (!version.empty()) path += "/versions/" + PercentEncode(version);
  return path;
}

Result<ModelMetadata> ParseMetadata(const Json& json) {
  ModelMetadata metadata;
  SNUG_ASSIGN_OR_RETURN(metadata.inputs, ParseSpecs(ListOf(json, "inputs")));
  SNUG_ASSIGN_OR_RETURN(metadata.outputs, ParseSpecs(ListOf(json, "outputs")));
  return metadata;
}

Result<ModelMetadata> FetchMetadata(const std::string& front_door, const std::string& name,
                                    const std::string& version) {
  std::string url = "http://" + front_door + ModelPath("/v2/models/", name, version);
  SNUG_ASSIGN_OR_RETURN(auto response, os::Fetch({.url = url}));
  Json json = Json::parse(response.body, nullptr, false);
  if (response.status == 200 && json.is_object()) return ParseMetadata(json);
  std::string text = TextOf(json, "error");
  if (text.empty()) text = fmt::format("HTTP status {}: {}", response.status, response.body.substr(0, 300));
  switch (response.status) {
    case 404:
      return NotFound("{}", text);
    case 503:
      return Error(Code::kDeadlineExceeded, "{}", text);  // no copy is ready
    default:
      return Error(Code::kUnknown, "{}", text);
  }
}

std::string MetadataText(const ModelMetadata& metadata) {
  Table table({{"TENSOR"}, {"NAME"}, {"TYPE"}, {"SHAPE"}});
  auto add = [&table](const char* role, const TensorSpec& spec) {
    table.Add({role, spec.name, std::string(DTypeName(spec.dtype)), ShapeText(spec.shape)});
  };
  for (const auto& spec : metadata.inputs) add("input", spec);
  for (const auto& spec : metadata.outputs) add("output", spec);
  return table.Text();
}

Result<Json> ZerosRequest(const ModelMetadata& metadata,
                          const std::map<std::string, std::vector<int64_t>>& shapes) {
  for (const auto& [name, shape] : shapes) {
    bool known = std::any_of(metadata.inputs.begin(), metadata.inputs.end(),
                             [&name = name](const auto& spec) { return spec.name == name; });
    if (!known)
      return NotFound("--shape names {}, which is none of the model's inputs:\n{}", name,
                      MetadataText(metadata));
  }
  Json inputs = Json::array();
  for (const auto& spec : metadata.inputs) {
    SNUG_ASSIGN_OR_RETURN(Shape shape, ZerosShape(spec, shapes));
    auto count = ElementCount(shape);
    if (!count || *count > kZeroElementsMax) {
      return InvalidArgument(
          "input {} of shape {} has more than {} elements: send a request of your own with --file", spec.name,
          ShapeText(shape), kZeroElementsMax);
    }
    inputs.push_back({{"name", spec.name},
                      {"datatype", DTypeName(spec.dtype)},
                      {"shape", shape},
                      {"data", Json(std::vector<Json>(*count, Zero(spec.dtype)))}});
  }
  return Json{{"inputs", inputs}};
}

std::string AnswerText(const Json& answer) {
  Table table({{"OUTPUT"}, {"TYPE"}, {"SHAPE"}, {"VALUES"}});
  for (const auto& output : ListOf(answer, "outputs")) {
    std::vector<std::string> texts;
    Flatten(ListOf(output, "data"), kShownElementsMax + 1, texts);
    bool more = texts.size() > kShownElementsMax;
    if (more) texts.pop_back();
    std::string values;
    for (const auto& text : texts) values += (values.empty() ? "" : " ") + text;
    table.Add({TextOf(output, "name"), TextOf(output, "datatype"), Dump(ListOf(output, "shape")),
               values + (more ? " …" : "")});
  }
  return table.Text();
}

}  // namespace snug::cli
