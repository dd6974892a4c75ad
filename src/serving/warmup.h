// Requests that warm a version up before it is READY, beside the zeros: recorded ones, or written by hand.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::serving {

struct WarmupRequest {
  std::string origin;     // the file, and where in it, for errors
  std::string signature;  // empty: the default one
  std::vector<Tensor> inputs;
  // For the model's parser, instead of inputs.
  bool is_payload = false;
  std::string content_type, payload;
  std::map<std::string, std::string> parameters;
};

// Reads those that lie among a version's files; none is no error. How they are written is the protocols'
// matter.
using WarmupReader = std::function<Result<std::vector<WarmupRequest>>(const std::string& directory)>;

}  // namespace snug::serving
