#include "parsers/ocr/recogniser.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "ocr/dictionary.h"

namespace snug::ocr {
namespace {

// Four digits: what follows differs between engines.
double Rounded(double score) {
  return std::round(score * 1e4) / 1e4;
}

nlohmann::ordered_json CharsOf(const std::vector<Mark>& marks, const Alphabet& alphabet) {
  auto chars = nlohmann::ordered_json::array();
  for (const Mark& mark : marks) {
    chars.push_back({{"char", alphabet[mark.index]}, {"score", Rounded(mark.score)}, {"step", mark.step}});
  }
  return chars;
}

}  // namespace

Result<Recogniser> Recogniser::Create(const std::string& directory, std::string_view options_json,
                                      std::span<const TensorSpec> inputs,
                                      std::span<const TensorSpec> outputs) {
  if (inputs.size() != 1 || outputs.size() != 1) {
    return FailedPrecondition(
        "the OCR parser needs a model with one input and one output, this has {} and {}", inputs.size(),
        outputs.size());
  }
  SNUG_ASSIGN_OR_RETURN(Options options, ParseOptions(options_json));
  SNUG_ASSIGN_OR_RETURN(Target target, ocr::TargetOf(inputs[0], options));
  if (options.own_width && !HasFreeWidth(inputs[0], target)) {
    return FailedPrecondition("parser option \"own_width\": input \"{}\" is {}, its width is not free",
                              inputs[0].name, ShapeText(inputs[0].shape));
  }
  SNUG_ASSIGN_OR_RETURN(Alphabet alphabet, ReadAlphabet(directory, options.dictionary));
  SNUG_RETURN_IF_ERROR(CheckOutputSpec(outputs[0], alphabet.classes()));
  return Recogniser(std::move(options), target, std::move(alphabet));
}

Target Recogniser::TargetOf(const Image& image) const {
  Target target = target_;
  if (options_.own_width) target.width = FilledWidth(image, target);
  return target;
}

Shape Recogniser::InputShape(const Target& target) {
  if (target.layout == Layout::kNchw) return {1, kChannels, target.height, target.width};
  return {1, target.height, target.width, kChannels};
}

Result<std::string> Recogniser::Answer(const Request& request, const float* output,
                                       const Shape& shape) const {
  const size_t rank = shape.size();
  if (rank < 2 || rank > 3 || (rank == 3 && shape[0] != 1) ||
      shape.back() != static_cast<int64_t>(alphabet_.classes())) {
    return FailedPrecondition(
        "the model gave an output of {}, expected [1,steps,{}]: a class for blank, for each of the "
        "dictionary's {} entries, and for space",
        ShapeText(shape), alphabet_.classes(), alphabet_.dictionary_entries());
  }
  SNUG_ASSIGN_OR_RETURN(std::vector<Mark> marks,
                        DecodeGreedy(output, static_cast<size_t>(shape[rank - 2]), alphabet_.classes()));
  nlohmann::ordered_json answer{{"text", TextOf(marks, alphabet_)},
                                {"score", Rounded(MeanScore(marks))},
                                {"width", request.width},
                                {"height", request.height}};
  if (request.chars) answer["chars"] = CharsOf(marks, alphabet_);
  return answer.dump();
}

}  // namespace snug::ocr
