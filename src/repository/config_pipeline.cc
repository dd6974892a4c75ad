#include <algorithm>

#include "repository/config_sections.h"
#include "repository/limits.h"
#include "repository/repository.h"

namespace snug::repository {
namespace {

constexpr std::string_view kStepsPath = "pipeline.steps";

Result<std::string> ReadName(const Origin& origin, std::string_view key, const YAML::Node& node) {
  const bool fits = node.IsScalar() && !node.Scalar().empty() && node.Scalar().size() <= kTensorNameBytesMax;
  if (fits) return node.Scalar();
  return origin.At(node.Mark(), "{}: expected a name of 1 to {} bytes, got {}", key, kTensorNameBytesMax,
                   Describe(node));
}

Result<std::vector<std::string>> ReadNames(const Origin& origin, std::string_view key,
                                           const YAML::Node& node) {
  if (!node.IsSequence() || node.size() == 0 || node.size() > kPipelineTensorsMax) {
    return origin.At(node.Mark(), "{}: expected a list of 1 to {} names, got {}", key, kPipelineTensorsMax,
                     Describe(node));
  }
  std::vector<std::string> names;
  for (const auto& item : node) {
    SNUG_ASSIGN_OR_RETURN(const std::string name, ReadName(origin, key, item));
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return origin.At(item.Mark(), "{}: {} is given twice", key, name);
    }
    names.push_back(name);
  }
  return names;
}

// A model's tensors and the pipeline's values, as in {x: crops}.
Result<std::map<std::string, std::string>> ReadMapping(const Origin& origin, std::string_view key,
                                                       const YAML::Node& node) {
  if (!node.IsMap() || node.size() == 0 || node.size() > kPipelineTensorsMax) {
    return origin.At(node.Mark(),
                     "{}: expected a map of 1 to {} entries from the model's tensor to the pipeline's value, "
                     "as in {{x: crops}}, got {}",
                     key, kPipelineTensorsMax, Describe(node));
  }
  std::map<std::string, std::string> mapping;
  for (const auto& pair : node) {
    SNUG_ASSIGN_OR_RETURN(const std::string tensor, ReadName(origin, key, pair.first));
    SNUG_ASSIGN_OR_RETURN(const std::string value, ReadName(origin, key, pair.second));
    if (!mapping.emplace(tensor, value).second) {
      return origin.At(pair.first.Mark(), "{}: {} is given twice", key, tensor);
    }
  }
  return mapping;
}

Result<std::string> ReadModelName(const Origin& origin, std::string_view key, const YAML::Node& node) {
  SNUG_ASSIGN_OR_RETURN(const std::string name, ReadName(origin, key, node));
  const Status fits = CheckModelName(name);
  return fits.ok() ? Result<std::string>(name) : origin.At(node.Mark(), "{}: {}", key, fits.text());
}

Result<StepConfig> ReadStep(const Origin& o, const YAML::Node& node) {
  using N = YAML::Node;
  StepConfig step;
  SNUG_RETURN_IF_ERROR(ReadFields(
      o, kStepsPath, node,
      {{"name", [&](const N& n) { return Store(ReadName(o, "pipeline.steps.name", n), step.name); }},
       {"model", [&](const N& n) { return Store(ReadModelName(o, "pipeline.steps.model", n), step.model); }},
       {"version", [&](const N& n) { return Store(ReadName(o, "pipeline.steps.version", n), step.version); }},
       {"inputs", [&](const N& n) { return Store(ReadMapping(o, "pipeline.steps.inputs", n), step.inputs); }},
       {"outputs",
        [&](const N& n) { return Store(ReadMapping(o, "pipeline.steps.outputs", n), step.outputs); }},
       {"for_each",
        [&](const N& n) { return Store(ReadNames(o, "pipeline.steps.for_each", n), step.for_each); }},
       IntField(o, kStepsPath, "items_max", kPipelineItemsMax, step.items_max)}));
  if (step.name.empty() || step.inputs.empty() || step.outputs.empty()) {
    return o.At(node.Mark(), "{}: expected name, inputs and outputs, {} is missing", kStepsPath,
                step.name.empty()     ? "name"
                : step.inputs.empty() ? "inputs"
                                      : "outputs");
  }
  if (step.model.empty()) {
    const Status fits = CheckModelName(step.name);
    if (!fits.ok()) return o.At(node.Mark(), "{}: a step without `model`: {}", kStepsPath, fits.text());
    step.model = step.name;
  }
  return step;
}

Result<std::vector<StepConfig>> ReadSteps(const Origin& origin, const YAML::Node& node) {
  if (!node.IsSequence() || node.size() == 0 || node.size() > kPipelineStepsMax) {
    return origin.At(node.Mark(), "{}: expected a list of 1 to {} steps, got {}", kStepsPath,
                     kPipelineStepsMax, Describe(node));
  }
  std::vector<StepConfig> steps;
  for (const auto& item : node) {
    SNUG_ASSIGN_OR_RETURN(StepConfig step, ReadStep(origin, item));
    const bool known =
        std::any_of(steps.begin(), steps.end(), [&](const StepConfig& s) { return s.name == step.name; });
    if (known) return origin.At(item.Mark(), "{}: two steps are called {}", kStepsPath, step.name);
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace

Result<PipelineConfig> ReadPipeline(const Origin& origin, const YAML::Node& node) {
  using N = YAML::Node;
  PipelineConfig pipeline;
  SNUG_RETURN_IF_ERROR(ReadFields(
      origin, "pipeline", node,
      {{"inputs",
        [&](const N& n) { return Store(ReadNames(origin, "pipeline.inputs", n), pipeline.inputs); }},
       {"outputs",
        [&](const N& n) { return Store(ReadNames(origin, "pipeline.outputs", n), pipeline.outputs); }},
       {"steps", [&](const N& n) { return Store(ReadSteps(origin, n), pipeline.steps); }}}));
  if (pipeline.inputs.empty() || pipeline.outputs.empty() || pipeline.steps.empty()) {
    return origin.At(node.Mark(), "pipeline: expected inputs, outputs and steps, {} is missing",
                     pipeline.inputs.empty()    ? "inputs"
                     : pipeline.outputs.empty() ? "outputs"
                                                : "steps");
  }
  return pipeline;
}

}  // namespace snug::repository
