// What the engine asks of a model, whichever form it was stored in.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine.h"
#include "engines/kit/kit.h"

namespace snug::torch_engine {

// As engine_options declare it; LibTorch's forms do not say types and shapes.
struct Declared {
  kit::SpecList inputs;
  kit::SpecList outputs;
  int threads = 1;
  int instances = 1;
  bool is_stateful = false;
};

inline kit::Failure TooFewValues(size_t returned, const Declared& declared) {
  return {SNUG_INTERNAL, "the model returned " + std::to_string(returned) + " value" +
                             (returned == 1 ? "" : "s") + ", declared are " +
                             std::to_string(declared.outputs.size())};
}

// Used by one thread at a time. Both throw kit::Failure or c10::Error.
class Instance {
 public:
  virtual ~Instance() = default;
  // As many inputs as declared, in that order. Returns the declared outputs that are wanted, the others
  // empty.
  virtual std::vector<at::Tensor> Run(const snug_tensor* inputs, const uint8_t* wanted) = 0;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual std::unique_ptr<Instance> NewInstance() = 0;
  virtual std::string Form() const = 0;  // "TorchScript", for the description
};

// Both keep a reference to `declared` and throw kit::Failure(INVALID_ARGUMENT) with what to mend.
std::unique_ptr<Model> LoadScript(const std::string& file, const Declared& declared);
std::unique_ptr<Model> LoadPackage(const std::string& file, const Declared& declared);

}  // namespace snug::torch_engine
