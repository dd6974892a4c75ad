// TorchScript through LibTorch, on the CPU. A script tells the names of forward's arguments but no types or
// shapes of tensors, so those are declared in engine_options.
#include <ATen/Parallel.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "engine.h"
#include "engines/kit/kit.h"
#include "engines/torch/model_file.h"

using snug::kit::Failure;
using snug::kit::Guard;

struct snug_engine {};

struct snug_model {
  torch::jit::Module module;
  bool is_stateful = false;
  snug::kit::SpecList inputs;
  snug::kit::SpecList outputs;
  std::vector<int> arguments;  // of forward: the input's index, or -1 for its default value
  int threads = 1;
  uint64_t memory_bytes = 0;
  std::string description;
};

struct snug_instance {
  const snug_model* model = nullptr;
  torch::jit::Module module;
};

namespace {

constexpr int kThreadsMax = 256;

struct TypeRow {
  snug_dtype snug;
  at::ScalarType torch;
};
constexpr TypeRow kTypes[] = {
    {SNUG_BOOL, at::kBool},     {SNUG_UINT8, at::kByte},    {SNUG_UINT16, at::kUInt16},
    {SNUG_UINT32, at::kUInt32}, {SNUG_UINT64, at::kUInt64}, {SNUG_INT8, at::kChar},
    {SNUG_INT16, at::kShort},   {SNUG_INT32, at::kInt},     {SNUG_INT64, at::kLong},
    {SNUG_FP16, at::kHalf},     {SNUG_FP32, at::kFloat},    {SNUG_FP64, at::kDouble},
    {SNUG_BF16, at::kBFloat16},
};

at::ScalarType ToTorch(snug_dtype dtype) {
  for (const TypeRow& row : kTypes) {
    if (row.snug == dtype) return row.torch;
  }
  throw Failure(SNUG_UNIMPLEMENTED,
                "TorchScript has no tensors of type " + std::string(snug::kit::DTypeName(dtype)));
}

snug_dtype ToSnug(at::ScalarType type) {
  for (const TypeRow& row : kTypes) {
    if (row.torch == type) return row.snug;
  }
  throw Failure(SNUG_UNIMPLEMENTED,
                std::string("the model returned a tensor of type ") + c10::toString(type));
}

// Runs `body`; LibTorch's errors become INTERNAL without the addresses of its stack.
template <typename Body>
snug_code GuardTorch(snug_error* error, Body&& body) {
  return Guard(error, SNUG_INTERNAL, [&] {
    try {
      body();
    } catch (const c10::Error& e) {
      throw Failure(SNUG_INTERNAL, e.what_without_backtrace());
    }
  });
}

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

int IndexOf(const snug::kit::SpecList& specs, const std::string& name) {
  for (size_t i = 0; i < specs.size(); ++i) {
    if (name == specs.specs()[i].name) return static_cast<int>(i);
  }
  return -1;
}

// Which input each of forward's arguments is.
void BindArguments(snug_model& model) {
  const c10::FunctionSchema& schema = model.module.get_method("forward").function().getSchema();
  size_t bound = 0;
  for (size_t i = 1; i < schema.arguments().size(); ++i) {  // 0 is self
    const c10::Argument& argument = schema.arguments()[i];
    const int input = IndexOf(model.inputs, argument.name());
    if (input < 0 ? !argument.default_value() : !IsServable(argument.type())) {
      throw Failure(SNUG_INVALID_ARGUMENT, "argument \"" + argument.name() + "\" of " + TextOf(schema) +
                                               (input < 0 ? " is not among engine_options.inputs"
                                                          : " is neither a tensor nor a number"));
    }
    bound += input >= 0 ? 1 : 0;
    model.arguments.push_back(input);
  }
  if (bound == model.inputs.size()) return;
  throw Failure(SNUG_INVALID_ARGUMENT,
                "engine_options.inputs names what is no argument of " + TextOf(schema));
}

void Load(const char* directory, const char* options_json, snug_model& model) {
  snug::kit::Options options(options_json, {"threads", "instances", "inputs", "outputs", "stateful"});
  model.threads = static_cast<int>(options.Integer("threads", 1, 1, kThreadsMax));
  model.is_stateful = options.Boolean("stateful", false);
  snug::kit::AddDeclared(options, "inputs", model.inputs);
  snug::kit::AddDeclared(options, "outputs", model.outputs);
  for (const auto* list : {&model.inputs, &model.outputs}) {
    for (const auto& spec : list->specs()) ToTorch(spec.dtype);
  }
  const std::string file = snug::torch_engine::FindModelFile(directory);
  const uint64_t before = snug::kit::PrivateBytes();
  at::set_num_threads(model.threads);
  try {
    model.module = torch::jit::load(file, at::kCPU);
  } catch (const c10::Error& e) {
    throw Failure(SNUG_INVALID_ARGUMENT, file +
                                             " is no TorchScript that LibTorch " TORCH_VERSION " can load: " +
                                             std::string(e.what_without_backtrace()).substr(0, 300));
  }
  model.module.eval();
  if (model.inputs.size() == 0 || model.outputs.size() == 0) {
    throw Failure(SNUG_INVALID_ARGUMENT,
                  "declare inputs and outputs in engine_options, as in inputs: [{name: x, dtype: FP32, "
                  "shape: [-1, 4]}]; "
                  "the model has " +
                      TextOf(model.module.get_method("forward").function().getSchema()));
  }
  BindArguments(model);
  const uint64_t after = snug::kit::PrivateBytes();
  model.memory_bytes = after > before ? after - before : 0;
  model.description = "LibTorch " TORCH_VERSION " CPU, TorchScript, " + std::to_string(model.threads) +
                      " thread" + (model.threads == 1 ? "" : "s") +
                      (model.is_stateful ? ", a copy for each instance" : "");
}

// An input as forward wants it. Tensors are copied: a model may keep (a view of) what it was given.
c10::IValue MakeArgument(const snug_tensor& input, const c10::TypePtr& type) {
  auto tensor = at::from_blob(const_cast<void*>(input.data),
                              c10::IntArrayRef(input.dims, static_cast<size_t>(input.rank)),
                              at::TensorOptions(ToTorch(input.dtype)))
                    .clone();
  c10::TypePtr bare = type;
  if (auto optional = type->cast<c10::OptionalType>()) bare = optional->getElementType();
  if (bare->kind() == c10::TypeKind::TensorType) return tensor;
  if (tensor.numel() != 1) {
    throw Failure(SNUG_INVALID_ARGUMENT, std::string("input \"") + input.name +
                                             "\" must be one number, got " + std::to_string(tensor.numel()));
  }
  if (bare->kind() == c10::TypeKind::IntType) return tensor.item().toLong();
  if (bare->kind() == c10::TypeKind::BoolType) return tensor.item().toBool();
  return tensor.item().toDouble();
}

std::vector<c10::IValue> MakeArguments(const snug_instance& instance, const snug_tensor* inputs) {
  const auto& arguments = instance.module.get_method("forward").function().getSchema().arguments();
  std::vector<c10::IValue> values;
  for (size_t i = 0; i < instance.model->arguments.size(); ++i) {
    const int input = instance.model->arguments[i];
    const c10::Argument& argument = arguments[i + 1];
    values.push_back(input < 0 ? *argument.default_value() : MakeArgument(inputs[input], argument.type()));
  }
  return values;
}

at::Tensor AsTensor(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor();
  if (value.isInt()) return at::scalar_tensor(value.toInt(), at::kLong);
  if (value.isDouble()) return at::scalar_tensor(value.toDouble(), at::kDouble);
  if (value.isBool()) return at::scalar_tensor(value.toBool(), at::kBool);
  throw Failure(SNUG_INTERNAL, "the model returned a " + value.tagKind() + " where a tensor was declared");
}

// Output `index` of what forward returned: the value itself, an element of a tuple or list, or by name out of
// a dict.
at::Tensor OutputOf(const c10::IValue& result, uint32_t index, const snug_model& model) {
  const char* name = model.outputs.specs()[index].name;
  if (result.isGenericDict()) {
    auto dict = result.toGenericDict();
    auto found = dict.find(c10::IValue(std::string(name)));
    if (found != dict.end()) return AsTensor(found->value());
    throw Failure(SNUG_INTERNAL, std::string("the model's answer has no \"") + name + "\"");
  }
  if (!result.isTuple() && !result.isList()) {
    if (model.outputs.size() == 1) return AsTensor(result);
    throw Failure(SNUG_INTERNAL,
                  "the model returned one value, declared are " + std::to_string(model.outputs.size()));
  }
  const auto values = result.isTuple() ? result.toTupleRef().elements().vec() : result.toListRef().vec();
  if (index < values.size()) return AsTensor(values[index]);
  throw Failure(SNUG_INTERNAL, "the model returned " + std::to_string(values.size()) +
                                   " values, declared are " + std::to_string(model.outputs.size()));
}

void WriteOutput(const at::Tensor& value, uint32_t index, const snug_output_sink& sink) {
  const at::Tensor tensor = value.cpu().contiguous();
  const uint64_t bytes = tensor.nbytes();
  void* memory = sink.allocate(sink.context, index, ToSnug(tensor.scalar_type()),
                               static_cast<int32_t>(tensor.dim()), tensor.sizes().data(), bytes);
  if (memory == nullptr) throw Failure(SNUG_INTERNAL, "the host refused output " + std::to_string(index));
  if (bytes > 0) std::memcpy(memory, tensor.const_data_ptr(), bytes);
}

void Run(snug_instance& instance, const snug_tensor* inputs, const uint8_t* wanted, uint32_t output_count,
         const snug_output_sink& sink) {
  const c10::InferenceMode no_gradients;
  const c10::IValue result = instance.module.forward(MakeArguments(instance, inputs));
  for (uint32_t i = 0; i < output_count; ++i) {
    if (wanted[i] != 0) WriteOutput(OutputOf(result, i, *instance.model), i, sink);
  }
}

snug_code CreateEngine(const snug_engine_config* config, snug_engine** engine, snug_error* error) {
  return GuardTorch(error, [&] {
    snug::kit::Options options(config->options_json, {});
    static const bool once = (at::set_num_interop_threads(1), true);
    (void)once;
    *engine = new snug_engine;
  });
}

snug_code LoadModel(snug_engine*, const char* directory, const char* options_json, snug_model** model,
                    snug_error* error) {
  return GuardTorch(error, [&] {
    auto made = std::make_unique<snug_model>();
    Load(directory, options_json, *made);
    *model = made.release();
  });
}

snug_code DescribeModel(snug_model* model, snug_model_info* info, snug_error*) {
  snug::kit::Describe(model->inputs, model->outputs, model->memory_bytes, model->threads, model->description,
                      info);
  return SNUG_OK;
}

snug_code CreateInstance(snug_model* model, snug_instance** instance, snug_error* error) {
  return GuardTorch(error, [&] {
    *instance = new snug_instance{model, model->is_stateful ? model->module.deepcopy() : model->module};
  });
}

snug_code Execute(snug_instance* instance, const snug_tensor* inputs, uint32_t, const uint8_t* wanted,
                  uint32_t output_count, const snug_output_sink* sink, snug_error* error) {
  return GuardTorch(error, [&] { Run(*instance, inputs, wanted, output_count, *sink); });
}

}  // namespace

// For torch_plugin.cc, which has the name, the version and recognises.
extern "C" SNUG_EXPORT const snug_engine_api* snug_engine_get_api(uint32_t host_abi_version) {
  static const snug_engine_api api = {
      .struct_size = sizeof(snug_engine_api),
      .abi_version = SNUG_ENGINE_ABI_VERSION,
      .name = "torch",
      .version = TORCH_VERSION,
      .create = &CreateEngine,
      .destroy = [](snug_engine* engine) { delete engine; },
      .load = &LoadModel,
      .unload = [](snug_model* model) { delete model; },
      .describe = &DescribeModel,
      .create_instance = &CreateInstance,
      .destroy_instance = [](snug_instance* instance) { delete instance; },
      .execute = &Execute,
      .recognises = nullptr,
      .prefers_process = 1,
  };
  return host_abi_version == SNUG_ENGINE_ABI_VERSION ? &api : nullptr;
}
