// What REST costs beside the engine: decoding and encoding of a small request and of an OCR image as JSON
// (957 KB).
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "base/rng.h"
#include "server/rest_infer.h"

namespace snug::server {
namespace {

// A float as a client that computes in double prints it: 17 digits.
std::string JsonRequest(int64_t columns) {
  Rng rng(1);
  std::string data;
  for (int64_t i = 0; i < columns; ++i) {
    data += fmt::format("{}{:.17g}", i == 0 ? "" : ", ", static_cast<float>(rng.Uniform() * 2 - 1));
  }
  return fmt::format(R"({{"inputs":[{{"name":"x","datatype":"FP32","shape":[1,{}],"data":[{}]}}]}})", columns,
                     data);
}

void BM_DecodeJson(benchmark::State& state) {
  auto body = std::make_shared<std::string>(JsonRequest(state.range(0)));
  for (auto _ : state) {
    auto request = DecodeInfer(body, "");
    if (!request.ok()) state.SkipWithError(request.status().text().c_str());
    benchmark::DoNotOptimize(request);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * body->size()));
}
BENCHMARK(BM_DecodeJson)->Arg(16)->Arg(int64_t{3} * 48 * 320);

void BM_EncodeJson(benchmark::State& state) {
  serving::InferResponse response{"m", 1, {}};
  Buffer buffer = Buffer::Allocate(static_cast<size_t>(state.range(0)) * sizeof(float));
  Rng rng(1);
  for (int64_t i = 0; i < state.range(0); ++i) {
    static_cast<float*>(buffer.data())[i] = static_cast<float>(rng.Uniform());
  }
  response.outputs.push_back({"y", DType::kFp32, {state.range(0)}, buffer});
  for (auto _ : state) {
    auto answer = EncodeInfer({}, response);
    benchmark::DoNotOptimize(answer);
  }
}
BENCHMARK(BM_EncodeJson)->Arg(4)->Arg(int64_t{3} * 48 * 320);

}  // namespace
}  // namespace snug::server

BENCHMARK_MAIN();
