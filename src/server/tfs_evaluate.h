// Classify and Regress, under both protocols: examples in, classes or values out.
#pragma once

#include <tensorflow_serving/apis/inference.pb.h>

#include <string_view>

#include "server/tfs_call.h"

namespace snug::server {

// `method` is kClassifyMethod or kRegressMethod. Looks the signature up, makes tensors of the examples, and
// of the outputs ("classes" and "scores", or "outputs" or the only one) a result with the target as its
// model_spec. `done` is called once, on any thread.
void Evaluate(Core& core, const TfsTarget& target, std::string_view method, const serving::RequestHead& head,
              const tensorflow::serving::Input& input,
              const serving::Callback<tensorflow::serving::InferenceResult>& done);

// The parts of it that are pure.
Status ClassificationOf(const std::vector<Tensor>& outputs, size_t examples,
                        tensorflow::serving::ClassificationResult* result);
Status RegressionOf(const std::vector<Tensor>& outputs, size_t examples,
                    tensorflow::serving::RegressionResult* result);

// model_spec of an answer: name, version and signature.
void FillModelSpec(const TfsTarget& target, int64_t version, tensorflow::serving::ModelSpec* spec);

}  // namespace snug::server
