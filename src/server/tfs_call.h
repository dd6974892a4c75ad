// What TensorFlow Serving's gRPC and REST share: how its clients name a model, and the errors they look at.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "server/core.h"
#include "serving/model_manager.h"
#include "serving/request.h"

namespace snug::server {

inline constexpr std::string_view kDefaultSignature = "serving_default";
inline constexpr std::string_view kPredictMethod = "tensorflow/serving/predict";
inline constexpr std::string_view kClassifyMethod = "tensorflow/serving/classify";
inline constexpr std::string_view kRegressMethod = "tensorflow/serving/regress";

// Model, version (a number or a label) and signature, as a request names them; the last two may be empty.
struct TfsTarget {
  std::string model;
  std::string version;
  std::string signature;

  std::string_view SignatureName() const {
    return signature.empty() ? kDefaultSignature : std::string_view(signature);
  }
};

// NOT_FOUND as TensorFlow Serving says it ("Servable not found for request: Latest(half_plus_two)"), with our
// own text behind; other errors as they are.
Status TfsError(const Status& status, const TfsTarget& target);

// A READY version as the target's signature shows it.
struct TfsModel {
  serving::ModelDescription description;
  engine::ModelInfo signature;
};
// FAILED_PRECONDITION: no such signature; else as TfsError.
Result<TfsModel> FindTfsModel(const Core& core, const TfsTarget& target);

// All signatures of a model, the default one first; a model of an engine that knows none has
// "serving_default".
std::vector<engine::Signature> TfsSignatures(const engine::ModelInfo& info);

// TensorFlow's name and number of an element type: "DT_FLOAT", 1.
std::string_view TfsTypeName(DType dtype);
int TfsTypeNumber(DType dtype);
// Nothing for types that Snug has not (complex, quantized, resources, …).
std::optional<DType> TypeFromTfs(int number);

// tensorflow.serving.ModelVersionStatus.State
struct TfsState {
  int number;
  std::string_view name;
};
TfsState TfsStateOf(serving::State state);
// The versions of a model, newest first; one when the target names it. NOT_FOUND as TensorFlow Serving.
Result<std::vector<serving::VersionStatus>> TfsStatuses(const Core& core, const TfsTarget& target);
// The error of a version that could not be loaded, OK for others.
Status TfsVersionError(const serving::VersionStatus& version);

}  // namespace snug::server
