// A request to a model through the front door: what `snug predict` sends once and `snug measure` again and
// again.
#pragma once

#include <string>

#include "base/status.h"
#include "cli/commands.h"

namespace snug::cli {

struct Payload {
  std::string bytes;
  std::string content_type;
  bool infer = false;  // KServe v2 JSON, for /v2/models/…/infer; else anything, for /v1/predict/…
};

struct ModelCall {
  std::string front_door;  // HOST:PORT
  std::string path;        // with its query
  Payload payload;
};

// Whether the options say what to send; NothingToSend tells the user that they do not.
bool HasInput(const PredictOptions& options);
int NothingToSend(const Session& session);

// Reads the payload, or asks the model for its shapes and makes zeros. UNAVAILABLE: no platform or front
// door; NOT_FOUND: no such model; INVALID_ARGUMENT: zeros or a shape that the model does not take.
Result<ModelCall> MakeCall(const Session& session, const PredictOptions& options);
// The answer's body. NOT_FOUND, DEADLINE_EXCEEDED (the model is not ready), ABORTED (no answer in time),
// UNKNOWN (anything else that the model answers) with the front door's text.
Result<std::string> Ask(const ModelCall& call, const PredictOptions& options);

}  // namespace snug::cli
