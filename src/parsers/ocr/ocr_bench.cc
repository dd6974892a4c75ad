// What the parser costs of a request: a text line of the usual size, to a tensor of 184 KB; an output of 40 x
// 6625.
#include <benchmark/benchmark.h>

#include <string>

#include "base/rng.h"
#include "ocr/ctc.h"
#include "ocr/resize.h"
#include "ocr/test_images.h"

namespace snug::ocr {
namespace {

void DecodePngLine(benchmark::State& state) {
  const Bytes file = WritePng(TestImage(static_cast<int>(state.range(0)), static_cast<int>(state.range(1))));
  for (auto _ : state) benchmark::DoNotOptimize(DecodeImage(file)->pixels.get());
}
BENCHMARK(DecodePngLine)->Args({145, 28})->Args({640, 96});

void DecodeJpegLine(benchmark::State& state) {
  const Bytes file = WriteJpeg(TestImage(static_cast<int>(state.range(0)), static_cast<int>(state.range(1))));
  for (auto _ : state) benchmark::DoNotOptimize(DecodeImage(file)->pixels.get());
}
BENCHMARK(DecodeJpegLine)->Args({145, 28})->Args({640, 96});

void Resize(benchmark::State& state) {
  const Image image = TestImage(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  const Target target{48, 320, state.range(2) == 0 ? Layout::kNchw : Layout::kNhwc};
  std::vector<float> tensor(size_t{3} * 48 * 320);
  for (auto _ : state) {
    ResizeNormalize(image, target, tensor.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(Resize)
    ->Args({145, 28, 0})
    ->Args({320, 48, 0})
    ->Args({320, 48, 1})
    ->Args({640, 96, 0})
    ->Args({2000, 300, 0});

void Decode(benchmark::State& state) {
  constexpr size_t kSteps = 40;
  constexpr size_t kClasses = 6625;
  Rng rng(1);
  std::vector<float> output(kSteps * kClasses);
  for (float& value : output) value = static_cast<float>(rng.Uniform()) * 1e-4F;
  for (size_t step = 0; step < kSteps; ++step)
    output[step * kClasses + (step % 2 == 0 ? 0 : rng.Below(kClasses))] = 0.99F;
  for (auto _ : state) benchmark::DoNotOptimize(DecodeGreedy(output.data(), kSteps, kClasses)->size());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * output.size() * sizeof(float)));
}
BENCHMARK(Decode);

}  // namespace
}  // namespace snug::ocr

BENCHMARK_MAIN();
