#include "server/infer_extras.h"

#include <algorithm>
#include <span>

#include "server/classification.h"

namespace snug::server {
namespace {

Status PutIntoSharedMemory(const SharedRegions& regions, const OutputWish& wish, Tensor& output,
                           SharedPlace& placed) {
  if (output.buffer.size() > wish.place->bytes) {
    return InvalidArgument("output \"{}\" has {} bytes, its shared_memory_byte_size is {}", output.name,
                           output.buffer.size(), wish.place->bytes);
  }
  SNUG_RETURN_IF_ERROR(regions.Write(*wish.place, output.buffer));
  placed = {wish.place->region, wish.place->offset, output.buffer.size()};
  output.buffer = Buffer();
  return {};
}

Result<Tensor> ClassesOf(const Tensor& scores, int64_t classes, const serving::ModelDescription& model) {
  std::span<const std::string> names;
  if (auto found = model.class_labels->find(scores.name); found != model.class_labels->end())
    names = found->second;
  return Classify(scores, classes, model.info.batch_is_free, names);
}

}  // namespace

Result<std::optional<SharedPlace>> SharedParameters::Place(const std::string& tensor) const {
  if (!region && !offset && !bytes) return std::optional<SharedPlace>();
  if (!region || region->empty() || !bytes || *bytes < 0 || offset.value_or(0) < 0) {
    return InvalidArgument(
        "\"{}\": shared memory needs the parameters shared_memory_region (a name) and "
        "shared_memory_byte_size, and may have shared_memory_offset, neither of them negative",
        tensor);
  }
  return std::optional<SharedPlace>(
      SharedPlace{*region, static_cast<uint64_t>(offset.value_or(0)), static_cast<uint64_t>(*bytes)});
}

Status CheckClasses(const std::string& output, int64_t classes) {
  if (classes >= 1) return {};
  return InvalidArgument("output \"{}\": the parameter classification must be at least 1", output);
}

Status ReadSharedInputs(const SharedRegions& regions, const InferExtras& extras,
                        std::vector<Tensor>& inputs) {
  uint64_t all = 0;
  for (const auto& [index, place] : extras.inputs) {
    all += std::min(place.bytes, regions.request_bytes_max() + 1);
    if (all > regions.request_bytes_max()) {
      return InvalidArgument("the inputs in shared memory have more than {} bytes together",
                             regions.request_bytes_max());
    }
  }
  for (const auto& [index, place] : extras.inputs) {
    auto buffer = regions.Read(place);
    if (!buffer.ok()) return buffer.status().Annotate(fmt::format("input \"{}\"", inputs[index].name));
    inputs[index].buffer = *std::move(buffer);
  }
  return {};
}

Result<std::vector<SharedPlace>> FinishOutputs(const Core& core, const InferExtras& extras,
                                               serving::InferResponse& response) {
  if (extras.outputs.empty()) return std::vector<SharedPlace>();
  SNUG_ASSIGN_OR_RETURN(const auto model,
                        core.models.Describe(response.model, std::to_string(response.version)));
  std::vector<SharedPlace> placed(response.outputs.size());
  for (const OutputWish& wish : extras.outputs) {
    auto output = std::find_if(response.outputs.begin(), response.outputs.end(),
                               [&](const Tensor& tensor) { return tensor.name == wish.name; });
    if (output == response.outputs.end()) continue;
    if (wish.classes > 0) {
      SNUG_ASSIGN_OR_RETURN(*output, ClassesOf(*output, wish.classes, model));
    }
    const auto index = static_cast<size_t>(output - response.outputs.begin());
    if (wish.place) {
      SNUG_RETURN_IF_ERROR(PutIntoSharedMemory(core.shared_memory, wish, *output, placed[index]));
    }
  }
  return placed;
}

}  // namespace snug::server
