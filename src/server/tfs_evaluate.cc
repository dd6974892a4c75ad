#include "server/tfs_evaluate.h"

#include <cstring>

#include "server/tfs_example.h"

namespace snug::server {
namespace {

using tensorflow::serving::ClassificationResult;
using tensorflow::serving::InferenceResult;
using tensorflow::serving::RegressionResult;

constexpr std::string_view kClasses = "classes";
constexpr std::string_view kScores = "scores";
constexpr std::string_view kValues = "outputs";

const TensorSpec* Find(const std::vector<TensorSpec>& specs, std::string_view name) {
  for (const TensorSpec& spec : specs) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

std::string NamesText(const std::vector<TensorSpec>& specs) {
  std::string names;
  for (const TensorSpec& spec : specs) names += (names.empty() ? "" : ", ") + spec.name;
  return names;
}

// Which outputs of the signature the method reads. The signature's own method name is not looked at: models
// saved by TensorFlow 2 call all of theirs predict.
Result<std::vector<std::string>> OutputsFor(std::string_view method, const engine::ModelInfo& signature) {
  std::vector<std::string> wanted;
  if (method == kRegressMethod) {
    if (Find(signature.outputs, kValues) != nullptr) return std::vector<std::string>{std::string(kValues)};
    if (signature.outputs.size() == 1) return std::vector<std::string>{signature.outputs[0].name};
    return InvalidArgument(
        "No regression outputs found in SignatureDef: expected \"{}\" or one output only, it has {}", kValues,
        NamesText(signature.outputs));
  }
  for (std::string_view name : {kClasses, kScores}) {
    if (Find(signature.outputs, name) != nullptr) wanted.emplace_back(name);
  }
  if (!wanted.empty()) return wanted;
  return InvalidArgument(
      "Expected classification signature outputs to contain at least one of \"{}\" or \"{}\". Signature has: "
      "{}",
      kClasses, kScores, NamesText(signature.outputs));
}

const Tensor* Find(const std::vector<Tensor>& tensors, std::string_view name) {
  for (const Tensor& tensor : tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

Status CheckRows(const Tensor& tensor, size_t examples, size_t rank_min, size_t rank_max) {
  if (tensor.shape.size() >= rank_min && tensor.shape.size() <= rank_max &&
      tensor.shape[0] == static_cast<int64_t>(examples))
    return {};
  return InvalidArgument(
      "output \"{}\" is {}, expected {} rows, one for each example, and {} to {} dimensions", tensor.name,
      ShapeText(tensor.shape), examples, rank_min, rank_max);
}

Status CheckType(const Tensor& tensor, DType dtype) {
  if (tensor.dtype == dtype) return {};
  return InvalidArgument("output \"{}\" is {}, expected {}", tensor.name, TfsTypeName(tensor.dtype),
                         TfsTypeName(dtype));
}

// BYTES' elements in order; they were checked when the engine wrote them.
class Strings {
 public:
  explicit Strings(const Tensor& tensor)
      : rest_(static_cast<const char*>(tensor.buffer.data()), tensor.buffer.size()) {}
  std::string_view Next() {
    uint32_t length = 0;
    if (rest_.size() < sizeof length) return {};
    std::memcpy(&length, rest_.data(), sizeof length);
    std::string_view text = rest_.substr(sizeof length, length);
    rest_.remove_prefix(std::min(rest_.size(), sizeof length + text.size()));
    return text;
  }

 private:
  std::string_view rest_;
};

}  // namespace

Status ClassificationOf(const std::vector<Tensor>& outputs, size_t examples, ClassificationResult* result) {
  const Tensor* classes = Find(outputs, kClasses);
  const Tensor* scores = Find(outputs, kScores);
  if (classes != nullptr) {
    SNUG_RETURN_IF_ERROR(CheckRows(*classes, examples, 2, 2));
    SNUG_RETURN_IF_ERROR(CheckType(*classes, DType::kBytes));
  }
  if (scores != nullptr) {
    SNUG_RETURN_IF_ERROR(CheckRows(*scores, examples, 2, 2));
    SNUG_RETURN_IF_ERROR(CheckType(*scores, DType::kFp32));
  }
  if (classes == nullptr && scores == nullptr) return Internal("neither classes nor scores were computed");
  if (classes != nullptr && scores != nullptr && classes->shape != scores->shape)
    return InvalidArgument("outputs \"classes\" {} and \"scores\" {} differ in shape",
                           ShapeText(classes->shape), ShapeText(scores->shape));
  const int64_t count = (classes != nullptr ? classes : scores)->shape[1];
  const auto* score = scores != nullptr ? static_cast<const float*>(scores->buffer.data()) : nullptr;
  std::optional<Strings> labels;
  if (classes != nullptr) labels.emplace(*classes);
  for (size_t row = 0; row < examples; ++row) {
    auto* list = result->add_classifications();
    for (int64_t i = 0; i < count; ++i) {
      auto* one = list->add_classes();
      if (labels) one->set_label(std::string(labels->Next()));
      if (score != nullptr) one->set_score(*score++);
    }
  }
  return {};
}

Status RegressionOf(const std::vector<Tensor>& outputs, size_t examples, RegressionResult* result) {
  if (outputs.size() != 1) return Internal("expected one output, got {}", outputs.size());
  const Tensor& values = outputs[0];
  SNUG_RETURN_IF_ERROR(CheckRows(values, examples, 1, 2));
  SNUG_RETURN_IF_ERROR(CheckType(values, DType::kFp32));
  if (values.shape.size() == 2 && values.shape[1] != 1)
    return InvalidArgument("output \"{}\" is {}, expected one value for each example", values.name,
                           ShapeText(values.shape));
  const auto* value = static_cast<const float*>(values.buffer.data());
  for (size_t row = 0; row < examples; ++row) result->add_regressions()->set_value(*value++);
  return {};
}

void FillModelSpec(const TfsTarget& target, int64_t version, tensorflow::serving::ModelSpec* spec) {
  spec->set_name(target.model);
  spec->mutable_version()->set_value(version);
  spec->set_signature_name(std::string(target.SignatureName()));
}

namespace {

Status Prepare(const Core& core, const TfsTarget& target, std::string_view method,
               const tensorflow::serving::Input& input, serving::InferRequest& request, size_t& examples) {
  SNUG_ASSIGN_OR_RETURN(const TfsModel model, FindTfsModel(core, target));
  SNUG_ASSIGN_OR_RETURN(request.outputs, OutputsFor(method, model.signature));
  SNUG_ASSIGN_OR_RETURN(const auto list, ExamplesOf(input));
  SNUG_ASSIGN_OR_RETURN(request.inputs, TensorsOfExamples(list, model.signature.inputs));
  examples = list.size();
  request.model = target.model;
  request.version = std::to_string(model.description.version);
  request.signature = target.signature;
  return {};
}

}  // namespace

void Evaluate(Core& core, const TfsTarget& target, std::string_view method, const serving::RequestHead& head,
              const tensorflow::serving::Input& input, const serving::Callback<InferenceResult>& done) {
  if (core.models.ComesLate(target.model, target.version)) {
    auto again = [&core, target, method = std::string(method), head, input, done](const Status& loaded) {
      if (!loaded.ok()) return done(loaded);
      Evaluate(core, target, method, head, input, done);
    };
    return core.models.WhenLoaded(target.model, target.version, head.deadline, head.cancelled, again);
  }
  serving::InferRequest request;
  request.arrival = head.arrival;
  request.deadline = head.deadline;
  request.cancelled = head.cancelled;
  request.trace = head.trace;
  size_t examples = 0;
  Status prepared = Prepare(core, target, method, input, request, examples);
  if (!prepared.ok()) return done(prepared);
  const bool regress = method == kRegressMethod;
  core.models.Infer(
      std::move(request), [target, regress, examples, done](Result<serving::InferResponse> answer) {
        if (!answer.ok()) return done(TfsError(answer.status(), target));
        InferenceResult result;
        FillModelSpec(target, answer->version, result.mutable_model_spec());
        Status status =
            regress ? RegressionOf(answer->outputs, examples, result.mutable_regression_result())
                    : ClassificationOf(answer->outputs, examples, result.mutable_classification_result());
        if (!status.ok()) return done(status);
        done(std::move(result));
      });
}

}  // namespace snug::server
