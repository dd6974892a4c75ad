#include "engines/tensorrt/execution.h"

namespace snug::trt {
namespace {

using kit::Failure;

std::string Text(std::span<const int64_t> dims) {
  std::string text = "[";
  for (const int64_t dim : dims) text += (text.size() > 1 ? ", " : "") + std::to_string(dim);
  return text + "]";
}

}  // namespace

Border::Border(const Plan& plan) {
  for (size_t i = 0; i < plan.tensors().size(); ++i) {
    const IoTensor& tensor = plan.tensors()[i];
    (tensor.is_input ? inputs : outputs).Add(tensor.name, tensor.dtype, tensor.dims);
    (tensor.is_input ? input_tensors : output_tensors).push_back(i);
  }
}

void CheckShape(const IoTensor& tensor, std::span<const int64_t> dims) {
  bool fits = dims.size() == tensor.least.size();
  for (size_t i = 0; fits && i < dims.size(); ++i)
    fits = dims[i] >= tensor.least[i] && dims[i] <= tensor.most[i];
  if (fits) return;
  throw Failure(SNUG_INVALID_ARGUMENT, "input \"" + tensor.name + "\" has the shape " + Text(dims) +
                                           "; the plan's profile takes " + Text(tensor.least) + " to " +
                                           Text(tensor.most));
}

void Execute(const Plan& plan, const Border& border, Context& context, const snug_tensor* inputs,
             const uint8_t* wanted, const snug_output_sink& sink) {
  const std::vector<IoTensor>& tensors = plan.tensors();
  for (size_t i = 0; i < border.input_tensors.size(); ++i) {
    const size_t tensor = border.input_tensors[i];
    const std::span<const int64_t> dims(inputs[i].dims, static_cast<size_t>(inputs[i].rank));
    CheckShape(tensors[tensor], dims);
    context.SetInput(tensor, dims, inputs[i].data, inputs[i].bytes);
  }
  context.Run();
  for (size_t i = 0; i < border.output_tensors.size(); ++i) {
    if (wanted[i] == 0) continue;
    const IoTensor& tensor = tensors[border.output_tensors[i]];
    const Dims dims = context.OutputDims(border.output_tensors[i]);
    uint64_t bytes = kit::ElementBytes(tensor.dtype);
    for (const int64_t dim : dims) {
      if (dim < 0)
        throw Failure(SNUG_INTERNAL, "output \"" + tensor.name + "\" came with the shape " + Text(dims));
      bytes *= static_cast<uint64_t>(dim);
    }
    void* to = kit::Allocate(sink, i, tensor.dtype, dims, bytes);
    context.GetOutput(border.output_tensors[i], to, bytes);
  }
}

}  // namespace snug::trt
