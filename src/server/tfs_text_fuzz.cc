// REST bodies and config files out of any bytes.
#include "server/tfs_config.h"
#include "server/tfs_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace snug;
  using namespace snug::server;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto body = SplitPredict(text);
  const std::vector<TensorSpec> signatures[] = {{{"x", DType::kFp32, {-1, 2}}},
                                                {{"t", DType::kBytes, {-1}}},
                                                {{"x", DType::kFp32, {-1}}, {"n", DType::kInt64, {-1}}}};
  for (const auto& inputs : signatures) {
    if (!body.ok()) break;
    auto tensors = ReadPredict(*body, inputs);
    if (!tensors.ok()) continue;
    for (const Tensor& t : *tensors) {
      // A list without elements leaves dimensions unknown; the model's own check refuses those.
      const bool known = ElementCount(t.shape).has_value();
      if (known && !CheckTensorBytes(t.name, t.dtype, t.shape, t.buffer.data(), t.buffer.size()).ok())
        __builtin_trap();
    }
    (void)WritePredict(body->format, *tensors);
  }
  (void)ReadExamples(text);
  (void)ParseTfsConfig(text, "fuzz");
  (void)ParseMonitoringPath(text, "fuzz");
  return 0;
}
