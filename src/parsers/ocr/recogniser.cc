#include "parsers/ocr/recogniser.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace snug::ocr {
namespace {

namespace fs = std::filesystem;

// The dictionary's path, inside of the version's directory whatever links and dots say.
Result<fs::path> DictionaryPath(const std::string& directory, const std::string& name) {
  std::error_code error;
  const fs::path root = fs::canonical(directory, error);
  if (error) return ErrnoError(error.value(), directory);
  const fs::path path = fs::canonical(root / name, error);
  if (error) {
    return NotFound(
        "no dictionary {}/{}: put the model's characters there, one a line, or name another file with the "
        "parser option \"dictionary\"",
        directory, name);
  }
  if (!path.string().starts_with(root.string() + "/")) {
    return Error(Code::kPermissionDenied, "dictionary \"{}\" lies outside of the model's directory", name);
  }
  if (!fs::is_regular_file(path)) return InvalidArgument("dictionary \"{}\" is not a file", name);
  return path;
}

Result<Alphabet> ReadAlphabet(const std::string& directory, const std::string& name) {
  SNUG_ASSIGN_OR_RETURN(fs::path path, DictionaryPath(directory, name));
  std::error_code error;
  const uintmax_t bytes = fs::file_size(path, error);
  if (error) return ErrnoError(error.value(), name);
  if (bytes > kDictionaryBytesMax) {
    return InvalidArgument("dictionary \"{}\": {} bytes, at most {} are read", name, bytes,
                           kDictionaryBytesMax);
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad() || !file.is_open())
    return Error(Code::kPermissionDenied, "dictionary \"{}\" cannot be read", name);
  auto alphabet = Alphabet::Parse(text);
  if (!alphabet.ok()) return alphabet.status().Annotate(fmt::format("dictionary \"{}\"", name));
  return alphabet;
}

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
  SNUG_ASSIGN_OR_RETURN(Target target, TargetOf(inputs[0], options));
  SNUG_ASSIGN_OR_RETURN(Alphabet alphabet, ReadAlphabet(directory, options.dictionary));
  SNUG_RETURN_IF_ERROR(CheckOutputSpec(outputs[0], alphabet.classes()));
  return Recogniser(std::move(options), target, std::move(alphabet));
}

Shape Recogniser::InputShape() const {
  if (target_.layout == Layout::kNchw) return {1, kChannels, target_.height, target_.width};
  return {1, target_.height, target_.width, kChannels};
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
