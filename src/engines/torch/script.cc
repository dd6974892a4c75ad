// TorchScript. A script tells the names of forward's arguments but no types or shapes of tensors.
#include <torch/script.h>
#include <torch/version.h>

#include <sstream>

#include "engines/torch/model.h"
#include "engines/torch/tensors.h"

namespace snug::torch_engine {
namespace {

std::string TextOf(const c10::FunctionSchema& schema) {
  std::ostringstream text;
  text << schema;
  return text.str();
}

bool IsServable(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
    case c10::TypeKind::IntType:
    case c10::TypeKind::FloatType:
    case c10::TypeKind::BoolType:
      return true;
    case c10::TypeKind::OptionalType:
      return IsServable(type->castRaw<c10::OptionalType>()->getElementType());
    default:
      return false;
  }
}

int IndexOf(const kit::SpecList& specs, const std::string& name) {
  for (size_t i = 0; i < specs.size(); ++i) {
    if (name == specs.specs()[i].name) return static_cast<int>(i);
  }
  return -1;
}

// The input that each of forward's arguments is, or -1 for its default value.
std::vector<int> BindArguments(const torch::jit::Module& module, const Declared& declared) {
  const c10::FunctionSchema& schema = module.get_method("forward").function().getSchema();
  std::vector<int> arguments;
  size_t bound = 0;
  for (size_t i = 1; i < schema.arguments().size(); ++i) {  // 0 is self
    const c10::Argument& argument = schema.arguments()[i];
    const int input = IndexOf(declared.inputs, argument.name());
    if (input < 0 ? !argument.default_value() : !IsServable(argument.type())) {
      throw kit::Failure(SNUG_INVALID_ARGUMENT, "argument \"" + argument.name() + "\" of " + TextOf(schema) +
                                                    (input < 0 ? " is not among engine_options.inputs"
                                                               : " is neither a tensor nor a number"));
    }
    bound += input >= 0 ? 1 : 0;
    arguments.push_back(input);
  }
  if (bound == declared.inputs.size()) return arguments;
  throw kit::Failure(SNUG_INVALID_ARGUMENT,
                     "engine_options.inputs names what is no argument of " + TextOf(schema));
}

// An input as forward wants it. Tensors are copied: a model may keep (a view of) what it was given.
c10::IValue MakeArgument(const snug_tensor& input, const c10::TypePtr& type) {
  auto tensor = ViewOf(input).clone();
  c10::TypePtr bare = type;
  if (auto optional = type->cast<c10::OptionalType>()) bare = optional->getElementType();
  if (bare->kind() == c10::TypeKind::TensorType) return tensor;
  if (tensor.numel() != 1) {
    throw kit::Failure(SNUG_INVALID_ARGUMENT, std::string("input \"") + input.name +
                                                  "\" must be one number, got " +
                                                  std::to_string(tensor.numel()));
  }
  if (bare->kind() == c10::TypeKind::IntType) return tensor.item().toLong();
  if (bare->kind() == c10::TypeKind::BoolType) return tensor.item().toBool();
  return tensor.item().toDouble();
}

at::Tensor AsTensor(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor();
  if (value.isInt()) return at::scalar_tensor(value.toInt(), at::kLong);
  if (value.isDouble()) return at::scalar_tensor(value.toDouble(), at::kDouble);
  if (value.isBool()) return at::scalar_tensor(value.toBool(), at::kBool);
  throw kit::Failure(SNUG_INTERNAL,
                     "the model returned a " + value.tagKind() + " where a tensor was declared");
}

// Output `index` of what forward returned: the value itself, an element of a tuple or list, or by name out of
// a dict.
at::Tensor OutputOf(const c10::IValue& result, uint32_t index, const Declared& declared) {
  const char* name = declared.outputs.specs()[index].name;
  if (result.isGenericDict()) {
    auto dict = result.toGenericDict();
    auto found = dict.find(c10::IValue(std::string(name)));
    if (found != dict.end()) return AsTensor(found->value());
    throw kit::Failure(SNUG_INTERNAL, std::string("the model's answer has no \"") + name + "\"");
  }
  if (!result.isTuple() && !result.isList()) {
    if (declared.outputs.size() == 1) return AsTensor(result);
    throw TooFewValues(1, declared);
  }
  const auto values = result.isTuple() ? result.toTupleRef().elements().vec() : result.toListRef().vec();
  if (index < values.size()) return AsTensor(values[index]);
  throw TooFewValues(values.size(), declared);
}

class ScriptInstance final : public Instance {
 public:
  ScriptInstance(torch::jit::Module module, const std::vector<int>& arguments, const Declared& declared)
      : module_(std::move(module)), arguments_(arguments), declared_(declared) {}

  std::vector<at::Tensor> Run(const snug_tensor* inputs, const uint8_t* wanted) override {
    const c10::IValue result = module_.forward(MakeArguments(inputs));
    std::vector<at::Tensor> outputs(declared_.outputs.size());
    for (uint32_t i = 0; i < outputs.size(); ++i) {
      if (wanted[i] != 0) outputs[i] = OutputOf(result, i, declared_);
    }
    return outputs;
  }

 private:
  std::vector<c10::IValue> MakeArguments(const snug_tensor* inputs) const {
    const auto& arguments = module_.get_method("forward").function().getSchema().arguments();
    std::vector<c10::IValue> values;
    for (size_t i = 0; i < arguments_.size(); ++i) {
      const int input = arguments_[i];
      const c10::Argument& argument = arguments[i + 1];
      values.push_back(input < 0 ? *argument.default_value() : MakeArgument(inputs[input], argument.type()));
    }
    return values;
  }

  torch::jit::Module module_;
  const std::vector<int>& arguments_;
  const Declared& declared_;
};

class ScriptModel final : public Model {
 public:
  ScriptModel(torch::jit::Module module, const Declared& declared)
      : module_(std::move(module)), arguments_(BindArguments(module_, declared)), declared_(declared) {}

  std::unique_ptr<Instance> NewInstance() override {
    return std::make_unique<ScriptInstance>(declared_.is_stateful ? module_.deepcopy() : module_, arguments_,
                                            declared_);
  }
  std::string Form() const override {
    return declared_.is_stateful ? "TorchScript, a copy for each instance" : "TorchScript";
  }

 private:
  torch::jit::Module module_;
  std::vector<int> arguments_;
  const Declared& declared_;
};

torch::jit::Module OpenScript(const std::string& file) {
  try {
    return torch::jit::load(file, at::kCPU);
  } catch (const c10::Error& e) {
    throw kit::Failure(SNUG_INVALID_ARGUMENT,
                       file + " is no TorchScript that LibTorch " TORCH_VERSION " can load: " +
                           std::string(e.what_without_backtrace()).substr(0, 300));
  }
}

}  // namespace

std::unique_ptr<Model> LoadScript(const std::string& file, const Declared& declared) {
  torch::jit::Module module = OpenScript(file);
  module.eval();
  if (declared.inputs.size() == 0 || declared.outputs.size() == 0) {
    throw kit::Failure(SNUG_INVALID_ARGUMENT,
                       "declare inputs and outputs in engine_options, as in inputs: [{name: x, dtype: FP32, "
                       "shape: [-1, 4]}]; the model has " +
                           TextOf(module.get_method("forward").function().getSchema()));
  }
  return std::make_unique<ScriptModel>(std::move(module), declared);
}

}  // namespace snug::torch_engine
