// The OCR parser without its C border: one per model version, immutable, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"
#include "base/tensor.h"
#include "ocr/ctc.h"
#include "ocr/image.h"
#include "parsers/ocr/options.h"

namespace snug::ocr {

// What the answer says of a request beside the text.
struct Request {
  int width = 0;  // of the image
  int height = 0;
  bool chars = false;
};

class Recogniser {
 public:
  // `directory`: of the model's version, where the dictionary lies. FAILED_PRECONDITION: the model is no text
  // recogniser of this kind, or the dictionary is not its own; NOT_FOUND: no dictionary; INVALID_ARGUMENT:
  // the options.
  static Result<Recogniser> Create(const std::string& directory, std::string_view options_json,
                                   std::span<const TensorSpec> inputs, std::span<const TensorSpec> outputs);

  // The size of the tensor that an image becomes.
  Target TargetOf(const Image& image) const;
  bool chars() const { return options_.chars; }
  // The shape of the tensor that ResizeNormalize fills.
  static Shape InputShape(const Target& target);
  // JSON: {"text", "score", "width", "height"} and, when asked for, "chars": [{"char", "score", "step"}].
  // `output`: [steps, classes] or [1, steps, classes].
  Result<std::string> Answer(const Request& request, const float* output, const Shape& shape) const;

 private:
  Recogniser(Options options, Target target, Alphabet alphabet)
      : options_(std::move(options)), target_(target), alphabet_(std::move(alphabet)) {}

  Options options_;
  Target target_;
  Alphabet alphabet_;
};

}  // namespace snug::ocr
