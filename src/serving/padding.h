// Lengths that requests choose, and the buckets that they are padded to: model.yaml's `batching.padding` held
// against a model. Pure.
//
// A request is executed with each of its lengths brought up to the smallest bucket that holds it, also when
// it is alone, so that its answer does not depend on its company and the engine sees few shapes. Outputs that
// follow a length are cut back to the request's own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "engine/engine.h"
#include "repository/model_config.h"

namespace snug::serving {

// One value for each length of the model.
struct Lengths {
  std::vector<int64_t> own;     // the request's
  std::vector<int64_t> padded;  // of the buckets
  bool fit() const { return own == padded; }
};

class Padding {
 public:
  Padding() = default;  // none: requests are executed as they come
  // INVALID_ARGUMENT: a tensor or dimension that the model does not have or that is not free, one that is
  // named twice, a value that the datatype cannot hold.
  static Result<Padding> Make(std::span<const repository::PaddingConfig> config,
                              const engine::ModelInfo& info);

  bool empty() const { return lengths_.empty(); }

  // `inputs`: as the model declares them, in its order. INVALID_ARGUMENT: they disagree about a length, or it
  // is beyond the largest bucket.
  Result<Lengths> LengthsOf(std::span<const Tensor> inputs) const;

  // The shape with which input number `input` is executed that has this one.
  Shape InputShape(size_t input, Shape shape, const Lengths& lengths) const;
  // The bytes of the element that fills it up; empty: it has none of the lengths.
  const std::string& Filler(size_t input) const { return fillers_[input]; }

  // INTERNAL: output number `output` does not have the size that follows from the padded lengths.
  Status CheckOutput(size_t output, const Tensor& tensor, const Lengths& lengths) const;
  // What of that output's shape is the request's own.
  Shape OutputShape(size_t output, Shape shape, const Lengths& lengths) const;

  // The inputs' declarations with each length at its bucket number `bucket`, or its last one. For warming up
  // and measuring.
  std::vector<TensorSpec> SpecsAt(size_t bucket) const;
  size_t buckets() const;  // of the length that has most

 private:
  struct Place {  // a dimension of a tensor
    size_t tensor, dim;
    int64_t per = 1;
  };
  struct Length {
    std::vector<int64_t> buckets;
    std::vector<Place> inputs, outputs;
  };

  Status AddInput(const repository::PaddedInputConfig& config, Length& length);
  Status AddOutput(const repository::CutOutputConfig& config, const engine::ModelInfo& info, Length& length);
  template <typename Visit>
  void EachOutputPlace(size_t output, Visit visit) const;

  std::vector<TensorSpec> inputs_;
  std::vector<std::string> fillers_;  // by input
  std::vector<Length> lengths_;
};

// One request's inputs as it is executed alone.
Result<std::vector<Tensor>> PadInputs(std::vector<Tensor> inputs, const Padding& padding,
                                      const Lengths& lengths);

}  // namespace snug::serving
