// A model's signatures. Header only: whoever holds a ModelInfo needs it, also without an engine host.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"

namespace snug::engine {

// The info of a model as one of its signatures shows it: with that one's tensors. "" and info.signature are
// the model's own. NOT_FOUND with the signatures there are.
inline Result<ModelInfo> InfoOfSignature(const ModelInfo& info, std::string_view signature) {
  ModelInfo view = info;
  view.signatures.clear();
  if (signature.empty() || signature == info.signature) return view;
  std::string known = info.signature;
  for (const Signature& other : info.signatures) {
    if (other.name != signature) {
      known += (known.empty() ? "" : ", ") + other.name;
      continue;
    }
    view.signature = other.name;
    view.method = other.method;
    view.inputs = other.inputs;
    view.outputs = other.outputs;
    auto free = [](const std::vector<TensorSpec>& specs) {
      for (const TensorSpec& spec : specs) {
        if (spec.shape.empty() || spec.shape[0] != -1) return false;
      }
      return !specs.empty();
    };
    view.batch_is_free = free(view.inputs) && free(view.outputs);
    return view;
  }
  return NotFound("the model has no signature \"{}\"; it has: {}", signature, known.empty() ? "none" : known);
}

}  // namespace snug::engine
