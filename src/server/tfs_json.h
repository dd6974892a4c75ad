// TensorFlow Serving's REST bodies: predict's "instances" (rows) and "inputs" (columns), classify's and
// regress's "examples", and their answers. Pure; trusts no byte.
//
// JSON has no NaN: NaN and Infinity in a request are errors, and become null in an answer (TensorFlow Serving
// takes and writes them bare, which is no JSON).
#pragma once

#include <tensorflow_serving/apis/inference.pb.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::server {

// Bodies' two shapes of predict; answers take the one of their request.
enum class TfsFormat { kRows, kColumns };

// The parts of a predict body, to be read once the signature is known. They point into the body.
struct TfsPredictBody {
  TfsFormat format = TfsFormat::kRows;
  std::string signature;
  std::string_view values;  // of "instances" or "inputs"
};
// INVALID_ARGUMENT: no JSON object, or not exactly one of the two keys. Unknown keys are skipped.
Result<TfsPredictBody> SplitPredict(std::string_view body);

// The tensors of a predict body for a signature's inputs: their names, dtypes and ranks; dimensions come from
// the nesting. {"b64": "…"} is a string of any bytes. INVALID_ARGUMENT says where.
Result<std::vector<Tensor>> ReadPredict(const TfsPredictBody& body, const std::vector<TensorSpec>& inputs);

// {"predictions": …} or {"outputs": …}. Strings that are no UTF-8, and all of outputs named …_bytes, are
// written as
// {"b64": "…"}. INVALID_ARGUMENT: rows of outputs that have not one first dimension in common; DT_HALF,
// DT_BFLOAT16.
Result<std::string> WritePredict(TfsFormat format, const std::vector<Tensor>& outputs);

struct TfsExamplesBody {
  std::string signature;
  tensorflow::serving::Input input;
};
Result<TfsExamplesBody> ReadExamples(std::string_view body);

// {"results": …}
std::string WriteResult(const tensorflow::serving::InferenceResult& result);

}  // namespace snug::server
