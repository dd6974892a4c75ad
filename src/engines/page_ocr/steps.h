// The steps of reading a page that are code and no model, each as a function of tensors. Pure but for the
// dictionary, which is read when a step is made.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine.h"
#include "engines/kit/kit.h"

namespace snug::page_ocr {

// Memory for the outputs of one execution.
class Outputs {
 public:
  Outputs(const kit::SpecList& specs, const uint8_t* wanted, const snug_output_sink* sink)
      : specs_(specs), wanted_(wanted), sink_(sink) {}

  bool wants(size_t index) const { return wanted_[index] != 0; }
  // Of a wanted output. Throws kit::Failure when the host refuses.
  void* Allocate(size_t index, const std::vector<int64_t>& dims, uint64_t bytes) const;
  template <typename T>
  void Put(size_t index, const std::vector<int64_t>& dims, const std::vector<T>& values) const {
    if (!wants(index)) return;
    void* memory = Allocate(index, dims, values.size() * sizeof(T));
    if (!values.empty()) Copy(memory, values.data(), values.size() * sizeof(T));
  }
  // As BYTES, one dimension.
  void PutTexts(size_t index, const std::vector<std::string>& texts) const;

 private:
  static void Copy(void* to, const void* from, size_t bytes);

  const kit::SpecList& specs_;
  const uint8_t* wanted_;
  const snug_output_sink* sink_;
};

// Immutable; executed on any thread.
class Step {
 public:
  virtual ~Step() = default;
  const kit::SpecList& inputs() const { return inputs_; }
  const kit::SpecList& outputs() const { return outputs_; }
  // Whether the rows of all inputs and outputs are executions of their own.
  virtual bool is_batched() const { return false; }
  // `inputs` fit inputs(). Throws kit::Failure.
  virtual void Execute(const snug_tensor* inputs, const Outputs& outputs) const = 0;

 protected:
  kit::SpecList inputs_, outputs_;
};

// `options_json`: engine_options of model.yaml, which name the step.
std::unique_ptr<Step> MakeStep(const std::string& directory, std::string_view options_json);

}  // namespace snug::page_ocr
