// model.yaml's `sequence` for a fixed model: refused by one reader or the other, or a plan whose executions
// have tensors that fit the model, whatever the requests' marks say. The last bytes are the marks.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "repository/repository.h"
#include "serving/checks.h"
#include "serving/sequence_plan.h"

namespace {

using namespace snug;

// Of all kinds that controls and states may have.
engine::ModelInfo Info() {
  engine::ModelInfo info;
  info.inputs = {{"state", DType::kFp32, {-1, 2}}, {"x", DType::kFp32, {-1, 1}},
                 {"S", DType::kInt32, {-1, 1}},    {"E", DType::kFp32, {-1}},
                 {"R", DType::kBool, {-1, 1}},     {"I", DType::kUint64, {-1, 1}},
                 {"T", DType::kBytes, {-1, 1}},    {"free", DType::kFp32, {-1, -1}}};
  info.outputs = {
      {"y", DType::kFp32, {-1, 1}}, {"next", DType::kFp32, {-1, 2}}, {"free", DType::kFp32, {-1, -1}}};
  info.batch_is_free = true;
  return info;
}

serving::SequenceMark MarkOf(uint8_t byte) {
  serving::SequenceMark mark{{byte, {}}, (byte & 1) != 0, (byte & 2) != 0};
  if ((byte & 4) != 0) mark.id = {0, std::string(byte, 'i')};
  return mark;
}

void Execute(const serving::SequencePlan& plan, const engine::ModelInfo& info, std::string_view marks) {
  auto zeros = serving::ZeroInputs(plan.visible().inputs, 1);
  if (!zeros.ok()) return;
  std::vector<serving::SequencePlan::Row> rows;
  for (const char byte : marks) {
    const serving::SequenceMark mark = MarkOf(static_cast<uint8_t>(byte));
    const bool fits = plan.CheckInputs(*zeros, mark.id).ok();
    rows.push_back({mark, fits ? &*zeros : nullptr, nullptr});
  }
  bool any = false;
  for (const auto& row : rows) any |= row.inputs != nullptr;
  if (!any) return;
  auto inputs = plan.Inputs(rows);
  if (!inputs.ok()) return;
  if (inputs->size() != info.inputs.size()) abort();
  for (size_t i = 0; i < inputs->size(); ++i) {
    const Tensor& input = (*inputs)[i];
    if (!CheckTensorBytes(input.name, input.dtype, input.shape, input.buffer.data(), input.buffer.size())
             .ok())
      abort();
    if (!CheckTensorSpec(input.View(), info.inputs[i]).ok()) abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int kRowsMax = 4;
  static const engine::ModelInfo info = Info();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto config = repository::ParseModelConfig(text, "model.yaml");
  if (!config.ok() || !config->sequence.on) return 0;
  auto plan = serving::SequencePlan::Make(config->sequence, info, "m", config->instances);
  if (!plan.ok()) {
    if (plan.status().code() != Code::kInvalidArgument) abort();
    return 0;
  }
  (void)plan->Note();
  const auto rows = static_cast<size_t>(std::clamp(config->sequence.rows_max, 1, kRowsMax));
  Execute(*plan, info, text.substr(size - std::min(size, rows)));
  return 0;
}
