#include "engines/page_ocr/steps.h"

#include <cstring>

#include "engines/page_ocr/step_kinds.h"

namespace snug::page_ocr {

using kit::Failure;

void* Outputs::Allocate(size_t index, const std::vector<int64_t>& dims, uint64_t bytes) const {
  return kit::Allocate(*sink_, index, specs_.specs()[index].dtype, dims, bytes);
}

void Outputs::Copy(void* to, const void* from, size_t bytes) {
  std::memcpy(to, from, bytes);
}

void Outputs::PutTexts(size_t index, const std::vector<std::string>& texts) const {
  std::vector<char> bytes;
  for (const std::string& text : texts) {
    const auto length = static_cast<uint32_t>(text.size());
    const auto* prefix = reinterpret_cast<const char*>(&length);
    bytes.insert(bytes.end(), prefix, prefix + sizeof length);
    bytes.insert(bytes.end(), text.begin(), text.end());
  }
  Put(index, {static_cast<int64_t>(texts.size())}, bytes);
}

std::unique_ptr<Step> MakeStep(const std::string& directory, std::string_view options_json) {
  const kit::Options options(options_json, {"step", "side_min", "side_max", "height", "width", "dictionary",
                                            "score_percent_min", "threads", "instances"});
  const std::string step = options.Choice("step", "", {"", "scale", "boxes", "cut", "read", "join"});
  if (step == "scale") return MakeScale(options_json);
  if (step == "boxes") return MakeBoxes(options_json);
  if (step == "cut") return MakeCut(options_json);
  if (step == "read") return MakeRead(directory, options_json);
  if (step == "join") return MakeJoin(options_json);
  throw Failure(SNUG_INVALID_ARGUMENT,
                "engine_options: name the step: {step: scale}, or boxes, cut, read, join");
}

}  // namespace snug::page_ocr
