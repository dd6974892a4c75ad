// The ceiling that snug-server is held against: OpenVINO called directly, no server, no checks, no copies.
// Each thread has its own infer request and runs it again and again on the same input.
//
//   raw_openvino MODEL.xml THREADS SECONDS [f32|bf16]
//
// Prints one JSON line: inferences, wall and CPU seconds.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <openvino/openvino.hpp>
#include <thread>
#include <vector>

#include "os/cpu_seconds.h"

namespace {

using Clock = std::chrono::steady_clock;

// A free dimension is 1, so that any model of the demo runs.
ov::Shape Concrete(const ov::PartialShape& shape) {
  ov::Shape concrete;
  for (const auto& dim : shape)
    concrete.push_back(dim.is_static() ? static_cast<size_t>(dim.get_length()) : 1);
  return concrete;
}

long RunUntil(ov::CompiledModel& model, Clock::time_point end) {
  ov::InferRequest request = model.create_infer_request();
  for (const auto& input : model.inputs()) {
    ov::Tensor tensor(input.get_element_type(), Concrete(input.get_partial_shape()));
    std::memset(tensor.data(), 0, tensor.get_byte_size());
    request.set_tensor(input, tensor);
  }
  long count = 0;
  for (; Clock::now() < end; ++count) request.infer();
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: raw_openvino MODEL.xml THREADS SECONDS [f32|bf16]\n");
    return 2;
  }
  const int threads = std::atoi(argv[2]);
  const double seconds = std::atof(argv[3]);
  const bool bf16 = argc > 4 && std::strcmp(argv[4], "bf16") == 0;
  try {
    ov::Core core;
    ov::CompiledModel model = core.compile_model(
        argv[1], "CPU", ov::hint::inference_precision(bf16 ? ov::element::bf16 : ov::element::f32),
        ov::inference_num_threads(threads), ov::num_streams(threads), ov::hint::enable_cpu_pinning(false));
    RunUntil(model, Clock::now() + std::chrono::milliseconds(200));  // warm
    std::atomic<long> total{0};
    double cpu = snug::os::OwnCpuSeconds();
    auto begin = Clock::now();
    auto end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; ++i) workers.emplace_back([&] { total += RunUntil(model, end); });
    for (auto& worker : workers) worker.join();
    double wall = std::chrono::duration<double>(Clock::now() - begin).count();
    std::printf("{\"inferences\": %ld, \"wall_s\": %.6f, \"cpu_s\": %.6f}\n", total.load(), wall,
                snug::os::OwnCpuSeconds() - cpu);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "raw_openvino: %s\n", error.what());
    return 1;
  }
  return 0;
}
