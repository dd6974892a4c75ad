// What a call through the host costs: echo in this process and in one of its own, and in a Python model. 16
// floats and 184 KB (an OCR line).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "engine/engine.h"
#include "os/process.h"

namespace {

using namespace snug;
using namespace snug::engine;

void Run(benchmark::State& state, Isolation isolation, const std::string& engine = "echo",
         const std::string& file = "echo.txt", const std::string& text = "11 -1") {
  const auto root = std::filesystem::path(os::SelfPath()).parent_path().parent_path();
  auto host =
      EngineHost::Create({.plugin_dirs = {root / "lib/snug"}, .engine_program = root / "bin/snug-engine"});
  std::string directory = (std::filesystem::temp_directory_path() / "echo.XXXXXX").string();
  if (mkdtemp(directory.data()) == nullptr) std::abort();
  std::ofstream(directory + "/" + file) << text;
  auto model = host->Load({.engine = engine, .directory = directory, .isolation = isolation});
  auto instance = model.ok() ? (*model)->CreateInstance() : model.status();
  if (!instance.ok()) {
    state.SkipWithError(instance.status().ToString().c_str());
    return;
  }
  std::vector<float> x(static_cast<size_t>(state.range(0)));
  TensorView view{"x", DType::kFp32, {state.range(0)}, x.data(), x.size() * sizeof(float)};
  for (auto _ : state) {
    auto outputs = (*instance)->Execute({&view, 1}, {});
    if (!outputs.ok()) state.SkipWithError(outputs.status().ToString().c_str());
    benchmark::DoNotOptimize(outputs);
  }
  std::filesystem::remove_all(directory);
}

// The same through a Python model, whose worker is a process, too.
void PythonEcho(benchmark::State& state) {
  Run(state, Isolation::kInProcess, "python", "model.py",
      "class Echo:\n"
      "    inputs = {'x': ('FP32', [-1])}\n"
      "    outputs = {'y': ('FP32', [-1])}\n"
      "    def predict(self, inputs):\n"
      "        return {'y': inputs['x']}\n");
}

void EchoInProcess(benchmark::State& state) {
  Run(state, Isolation::kInProcess);
}
void EchoInOwnProcess(benchmark::State& state) {
  Run(state, Isolation::kProcess);
}

constexpr int64_t kLineFloats = int64_t{3} * 48 * 320;
BENCHMARK(EchoInProcess)->Arg(16)->Arg(kLineFloats)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(PythonEcho)->Arg(16)->Arg(kLineFloats)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(EchoInOwnProcess)->Arg(16)->Arg(kLineFloats)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
