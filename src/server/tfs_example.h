// tf.Example, in which Classify, Regress and MultiInference carry their input, to tensors. Pure.
#pragma once

#include <tensorflow_serving/apis/input.pb.h>

#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::server {

constexpr int kExamplesMax = 1 << 20;  // in one request

// The examples of an input, each with the context's features where it has none of its own. INVALID_ARGUMENT
// when there is none.
Result<std::vector<tensorflow::Example>> ExamplesOf(const tensorflow::serving::Input& input);

// Where the signature takes serialised examples (its one input is strings), these; else the features by name,
// which must be there in every example, with as many values as the input's shape says.
Result<std::vector<Tensor>> TensorsOfExamples(const std::vector<tensorflow::Example>& examples,
                                              const std::vector<TensorSpec>& inputs);

}  // namespace snug::server
