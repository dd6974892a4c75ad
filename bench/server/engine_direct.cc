// What an engine costs with nothing around it: loads a model through its plug-in in this process and executes
// it on zeros, one thread. TensorFlow's oneDNN switch is per process, so one call measures one set-up.
//
//   engine_direct PLUGIN_DIR ENGINE MODEL_DIR OPTIONS_JSON COUNT
//
// Prints one JSON line: description, executions, CPU-seconds.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/engine.h"
#include "os/cpu_seconds.h"

namespace {

using namespace snug;  // NOLINT: a program of one page

std::vector<Tensor> Zeros(const std::vector<TensorSpec>& specs) {
  std::vector<Tensor> tensors;
  for (const TensorSpec& spec : specs) {
    Tensor tensor{spec.name, spec.dtype, spec.shape, {}};
    for (int64_t& dim : tensor.shape) dim = dim < 0 ? 1 : dim;
    tensor.buffer = Buffer::Allocate(*ElementCount(tensor.shape) * ElementBytes(spec.dtype));
    std::memset(tensor.buffer.data(), 0, tensor.buffer.size());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

Status Run(char** argv) {
  auto host = engine::EngineHost::Create({.plugin_dirs = {argv[1]}, .threads = 1});
  engine::LoadRequest request;
  request.engine = argv[2];
  request.directory = argv[3];
  request.options_json = argv[4];
  request.isolation = engine::Isolation::kInProcess;
  SNUG_ASSIGN_OR_RETURN(auto model, host->Load(request));
  SNUG_ASSIGN_OR_RETURN(auto instance, model->CreateInstance());
  std::vector<Tensor> inputs = Zeros(model->info().inputs);
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) views.push_back(input.View());
  const int count = std::atoi(argv[5]);
  double before = 0;
  for (int i = -count / 4 - 1; i < count; ++i) {  // a quarter more first, not counted
    if (i == 0) before = os::OwnCpuSeconds();
    SNUG_ASSIGN_OR_RETURN(auto outputs, instance->Execute(views, {}));
  }
  std::printf("{\"description\": \"%s\", \"executions\": %d, \"cpu_s\": %.6f}\n",
              model->info().description.c_str(), count, os::OwnCpuSeconds() - before);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: engine_direct PLUGIN_DIR ENGINE MODEL_DIR OPTIONS_JSON COUNT\n");
    return 2;
  }
  Status status = Run(argv);
  if (!status.ok()) std::fprintf(stderr, "engine_direct: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
