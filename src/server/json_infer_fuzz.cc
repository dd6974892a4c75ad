// Any body and any header value: an answer or INVALID_ARGUMENT, and what was decoded holds together. The
// first byte chooses how much of the rest is JSON (0: no header).
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "server/log_settings.h"
#include "server/repository_call.h"
#include "server/rest_infer.h"
#include "server/rest_settings.h"
#include "server/rest_shared_memory.h"
#include "server/triton_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace snug;
  if (size == 0) return 0;
  auto body = std::make_shared<std::string>(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t binary = data[0] == 'B' ? body->find('\n') : std::string::npos;
  const std::string header = binary == std::string::npos ? "" : std::to_string(binary);
  auto request = server::DecodeInfer(body, header);
  if (!request.ok() && request.status().code() != Code::kInvalidArgument) std::abort();
  if (request.ok()) {
    serving::InferResponse response{"m", 1, {}};
    for (const Tensor& tensor : request->inputs) {
      Status whole = CheckTensorBytes(tensor.name, tensor.dtype, tensor.shape, tensor.buffer.data(),
                                      tensor.buffer.size());
      if (whole.ok()) response.outputs.push_back(tensor);
    }
    (void)server::EncodeInfer(*request, std::move(response));
  }
  (void)server::ParseRepositoryCall(*body);
  repository::ModelConfig config;
  (void)server::ApplyTritonConfig(*body, "m", config);
  (void)server::ParseTraceValues(*body);
  (void)server::ParseLogValues(*body);
  server::SharedRegions regions;
  (void)server::RegisterFromJson(regions, "r", *body);
  return 0;
}
