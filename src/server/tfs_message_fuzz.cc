// Tensors, examples and configs out of any bytes that are such a message.
#include <tensorflow_serving/apis/inference.pb.h>

#include "server/tfs_config.h"
#include "server/tfs_example.h"
#include "server/tfs_tensor.h"
#include "server/tfs_warmup.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace snug;
  using namespace snug::server;
  tensorflow::TensorProto proto;
  if (proto.ParseFromArray(data, static_cast<int>(size))) {
    auto tensor = TensorFromProto("x", proto, nullptr);
    if (tensor.ok()) {
      const auto& t = *tensor;
      if (!CheckTensorBytes(t.name, t.dtype, t.shape, t.buffer.data(), t.buffer.size()).ok())
        __builtin_trap();
      tensorflow::TensorProto back;
      if (t.buffer.size() < 1 << 16) TensorToProto(t, &back);
    }
  }
  tensorflow::serving::Input input;
  if (input.ParseFromArray(data, static_cast<int>(size))) {
    auto examples = ExamplesOf(input);
    for (DType dtype : {DType::kFp32, DType::kInt8, DType::kBytes}) {
      if (examples.ok()) (void)TensorsOfExamples(*examples, {{"x", dtype, {-1, -1}}});
    }
  }
  (void)DecodeTfsWarmup({reinterpret_cast<const char*>(data), size});
  (void)DecodeTfsConfig({reinterpret_cast<const char*>(data), size});
  return 0;
}
