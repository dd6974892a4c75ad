// Any bytes as a ModelInferRequest: refused as a message, refused as tensors, or tensors that can be checked.
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "server/oip_tensor.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace snug;
  auto request = std::make_shared<inference::ModelInferRequest>();
  if (!request->ParseFromArray(data, static_cast<int>(size))) return 0;
  auto sequence = server::OipSequence(*request);
  if (!sequence.ok() && sequence.status().code() != Code::kInvalidArgument) std::abort();
  server::InferExtras extras;
  auto inputs = server::OipInputs(request, extras);
  if (!inputs.ok() && inputs.status().code() != Code::kInvalidArgument) std::abort();
  (void)server::OipOutputs(*request, extras);
  if (!inputs.ok()) return 0;
  for (const Tensor& tensor : *inputs) {
    (void)CheckTensorBytes(tensor.name, tensor.dtype, tensor.shape, tensor.buffer.data(),
                           tensor.buffer.size());
  }
  inference::ModelInferResponse response;
  server::DescribeOutputs(*inputs, {}, response);
  return 0;
}
