// The file that says what a recogniser's classes mean.
#pragma once

#include <string>

#include "base/status.h"
#include "ocr/ctc.h"

namespace snug::ocr {

// The dictionary `name` in the directory of a model's version. NOT_FOUND, PERMISSION_DENIED (it lies
// elsewhere or cannot be read), INVALID_ARGUMENT: it is none.
Result<Alphabet> ReadAlphabet(const std::string& directory, const std::string& name);

}  // namespace snug::ocr
