#include "serving/pipeline/graph.h"

#include <algorithm>
#include <set>

#include "serving/checks.h"

namespace snug::serving {
namespace {

using repository::PipelineConfig;
using repository::StepConfig;

constexpr size_t kNone = PipelineGraph::kNoStep;

const TensorSpec* FindSpec(const std::vector<TensorSpec>& specs, const std::string& name) {
  auto found = std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& s) { return s.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

std::string SpecText(const TensorSpec& spec) {
  return fmt::format("{} {}", DTypeName(spec.dtype), ShapeText(spec.shape));
}

// Makes a dimension known where one side knows it. False when both know it and differ.
bool Meet(int64_t& dim, int64_t other) {
  if (dim < 0) dim = other;
  return other < 0 || dim == other;
}

class Planner {
 public:
  Planner(const PipelineConfig& config, const std::vector<StepTensors>& models)
      : config_(config), models_(models) {}

  Result<PipelineGraph> Plan() {
    SNUG_RETURN_IF_ERROR(NameValues());
    for (size_t i = 0; i < config_.steps.size(); ++i) SNUG_RETURN_IF_ERROR(Connect(i));
    SNUG_RETURN_IF_ERROR(ConnectOutputs());
    SNUG_ASSIGN_OR_RETURN(const std::vector<size_t> order, Order());
    for (const size_t step : order) SNUG_RETURN_IF_ERROR(CheckStep(step));
    SNUG_RETURN_IF_ERROR(CheckUse());
    return std::move(graph_);
  }

 private:
  template <typename... Args>
  Status At(size_t step, fmt::format_string<Args...> format, Args&&... args) const {
    const StepConfig& s = config_.steps[step];
    return InvalidArgument("pipeline step \"{}\" (model \"{}\"): {}", s.name, s.model,
                           fmt::format(format, std::forward<Args>(args)...));
  }

  size_t Find(const std::string& value) const {
    for (size_t i = 0; i < graph_.values.size(); ++i) {
      if (graph_.values[i].spec.name == value) return i;
    }
    return kNone;
  }

  std::string Known() const {
    std::string text;
    for (const auto& value : graph_.values) text += (text.empty() ? "" : ", ") + value.spec.name;
    return text;
  }

  Status NameValues() {
    for (const std::string& name : config_.inputs) graph_.values.push_back({{name, {}, {}}, kNone, false});
    for (size_t i = 0; i < config_.steps.size(); ++i) {
      for (const auto& [tensor, name] : config_.steps[i].outputs) {
        if (const size_t other = Find(name); other != kNone) {
          const size_t by = graph_.values[other].step;
          return At(
              i, "makes the value \"{}\", which {} already; give it another name", name,
              by == kNone ? "the request brings" : fmt::format("step \"{}\" makes", config_.steps[by].name));
        }
        graph_.values.push_back({{name, {}, {}}, i, false});
      }
    }
    return {};
  }

  Status Connect(size_t index) {
    const StepConfig& config = config_.steps[index];
    PipelineGraph::Step step{config.name,
                             config.model,
                             config.version,
                             {},
                             {},
                             static_cast<size_t>(config.items_max),
                             !config.for_each.empty()};
    for (const auto& [tensor, name] : config.inputs) {
      if (FindSpec(models_[index].inputs, tensor) == nullptr) {
        return At(index, "the model has no input \"{}\"; it has: {}", tensor,
                  SpecsText(models_[index].inputs));
      }
      const size_t value = Find(name);
      if (value == kNone) return At(index, "there is no value \"{}\"; there are: {}", name, Known());
      graph_.values[value].is_used = true;
      const bool each =
          std::find(config.for_each.begin(), config.for_each.end(), name) != config.for_each.end();
      step.inputs.push_back({tensor, value, each});
    }
    for (const TensorSpec& spec : models_[index].inputs) {
      if (config.inputs.count(spec.name) == 0) {
        return At(index, "nothing is given to the model's input \"{}\" {}", spec.name, SpecText(spec));
      }
    }
    for (const std::string& name : config.for_each) {
      const bool is_input = std::any_of(config.inputs.begin(), config.inputs.end(),
                                        [&](const auto& input) { return input.second == name; });
      if (!is_input) return At(index, "for_each names \"{}\", which is none of its inputs", name);
    }
    for (const auto& [tensor, name] : config.outputs) step.outputs.push_back({tensor, Find(name)});
    graph_.steps.push_back(std::move(step));
    return {};
  }

  Status ConnectOutputs() {
    for (const std::string& name : config_.outputs) {
      const size_t value = Find(name);
      if (value == kNone || graph_.values[value].step == kNone) {
        return InvalidArgument("pipeline output \"{}\": no step makes such a value; there are: {}", name,
                               Known());
      }
      graph_.values[value].is_used = true;
      graph_.outputs.push_back(value);
    }
    return {};
  }

  // Each step after those that it needs.
  Result<std::vector<size_t>> Order() const {
    std::vector<size_t> order;
    std::vector<bool> placed(graph_.steps.size(), false);
    auto is_ready = [&](size_t step) {
      return std::all_of(graph_.steps[step].inputs.begin(), graph_.steps[step].inputs.end(),
                         [&](const PipelineGraph::Input& input) {
                           const size_t maker = graph_.values[input.value].step;
                           return maker == kNone || placed[maker];
                         });
    };
    while (order.size() < graph_.steps.size()) {
      const size_t before = order.size();
      for (size_t i = 0; i < graph_.steps.size(); ++i) {
        if (placed[i] || !is_ready(i)) continue;
        placed[i] = true;
        order.push_back(i);
      }
      if (order.size() == before) return Circle(placed);
    }
    return order;
  }

  // Whoever follows unplaced makers comes back to a step he has seen.
  Status Circle(const std::vector<bool>& placed) const {
    std::vector<size_t> path;
    auto step = static_cast<size_t>(std::find(placed.begin(), placed.end(), false) - placed.begin());
    while (std::find(path.begin(), path.end(), step) == path.end()) {
      path.push_back(step);
      for (const auto& input : graph_.steps[step].inputs) {
        const size_t maker = graph_.values[input.value].step;
        if (maker == kNone || placed[maker]) continue;
        step = maker;
        break;
      }
    }
    std::string text = config_.steps[step].name;
    for (auto from = path.rbegin(); from != path.rend(); ++from) {
      text += " -> " + config_.steps[*from].name;
      if (*from == step) break;
    }
    return At(step, "the steps need each other in a circle: {}", text);
  }

  Status CheckStep(size_t index) {
    for (const auto& input : graph_.steps[index].inputs) SNUG_RETURN_IF_ERROR(CheckInput(index, input));
    for (const auto& output : graph_.steps[index].outputs) {
      const TensorSpec* made = FindSpec(models_[index].outputs, output.tensor);
      if (made == nullptr) {
        return At(index, "the model has no output \"{}\"; it has: {}", output.tensor,
                  SpecsText(models_[index].outputs));
      }
      TensorSpec& spec = graph_.values[output.value].spec;
      spec.dtype = made->dtype;
      spec.shape = made->shape;
      if (!graph_.steps[index].each) continue;
      if (spec.shape.empty() || (spec.shape[0] != 1 && spec.shape[0] != -1)) {
        return At(
            index,
            "for_each puts one row for each item together, so the output \"{}\" needs a first dimension "
            "of 1, or a free one; it is {}",
            output.tensor, SpecText(*made));
      }
      spec.shape[0] = -1;
    }
    return {};
  }

  Status CheckInput(size_t index, const PipelineGraph::Input& input) {
    TensorSpec wanted = *FindSpec(models_[index].inputs, input.tensor);
    PipelineGraph::Value& value = graph_.values[input.value];
    if (input.each) {
      if (wanted.shape.empty() || (wanted.shape[0] != 1 && wanted.shape[0] != -1)) {
        return At(index, "for_each gives one row at a time, the input \"{}\" is {}", input.tensor,
                  SpecText(wanted));
      }
      wanted.shape[0] = -1;  // the whole has any number of rows
    }
    const bool from_request = value.step == kNone;
    if (from_request && asked_.insert(input.value).second) {
      value.spec.dtype = wanted.dtype;
      value.spec.shape = wanted.shape;
      return {};
    }
    bool fits = value.spec.dtype == wanted.dtype && value.spec.shape.size() == wanted.shape.size();
    Shape met = value.spec.shape;
    for (size_t i = 0; fits && i < met.size(); ++i) fits = Meet(met[i], wanted.shape[i]);
    if (!fits) {
      return At(index, "the value \"{}\" is {}, {}the input \"{}\" is {}", value.spec.name,
                SpecText(value.spec), input.each ? "rows of which do not fit: " : "", input.tensor,
                SpecText(*FindSpec(models_[index].inputs, input.tensor)));
    }
    if (from_request) value.spec.shape = met;  // what all who get it accept
    return {};
  }

  Status CheckUse() const {
    for (const auto& value : graph_.values) {
      if (value.is_used) continue;
      if (value.step == kNone) {
        return InvalidArgument("pipeline input \"{}\": no step takes it", value.spec.name);
      }
      return At(value.step, "nothing uses the value \"{}\"; leave it out", value.spec.name);
    }
    return {};
  }

  const PipelineConfig& config_;
  const std::vector<StepTensors>& models_;
  PipelineGraph graph_;
  std::set<size_t> asked_;  // inputs of the pipeline whose type a step has settled
};

}  // namespace

std::vector<TensorSpec> PipelineGraph::InputSpecs() const {
  std::vector<TensorSpec> specs;
  for (const Value& value : values) {
    if (value.step == kNoStep) specs.push_back(value.spec);
  }
  return specs;
}

std::vector<TensorSpec> PipelineGraph::OutputSpecs() const {
  std::vector<TensorSpec> specs;
  for (const size_t output : outputs) specs.push_back(values[output].spec);
  return specs;
}

Result<PipelineGraph> PlanPipeline(const PipelineConfig& config, const std::vector<StepTensors>& models) {
  return Planner(config, models).Plan();
}

}  // namespace snug::serving
