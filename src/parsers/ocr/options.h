// What model.yaml's parser_options may say, and the shape of model that the parser can serve. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/tensor.h"
#include "ocr/resize.h"

namespace snug::ocr {

struct Options {
  std::string dictionary = "dict.txt";  // within the version's directory
  bool chars = false;                   // a score for each character, unless a request says otherwise
  int height = 48;                      // where the model leaves them free
  int width = 320;
  bool own_width = false;  // each line's tensor is only as wide as the line, at most `width`
};

// INVALID_ARGUMENT: not an object, an unknown key (the text names the known ones), a wrong type.
Result<Options> ParseOptions(std::string_view json);

// "true", "1", "false", "0": a request's parameter `chars`.
Result<bool> ParseSwitch(std::string_view name, std::string_view text);

// The target for a model's input: FP32, one image, [1,3,height,width] or [1,height,width,3], any of them free
// but the channels. FAILED_PRECONDITION otherwise.
Result<Target> TargetOf(const TensorSpec& input, const Options& options);
// Whether the model takes any width.
bool HasFreeWidth(const TensorSpec& input, const Target& target);
// Checks that the output can be [steps, classes] or [1, steps, classes] of FP32.
Status CheckOutputSpec(const TensorSpec& output, size_t classes);

}  // namespace snug::ocr
