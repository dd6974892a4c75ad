#include "engine/checks.h"

#include <cstring>
#include <set>

namespace snug::engine {
namespace {

Result<TensorSpec> CopySpec(std::string_view kind, uint32_t index, const snug_tensor_spec& spec) {
  auto wrong = [&](std::string_view what) {
    return FailedPrecondition("the engine reports {} {} {}", kind, index, what);
  };
  if (spec.name == nullptr) return wrong("without a name");
  size_t length = strnlen(spec.name, kNameBytesMax + 1);
  if (length > kNameBytesMax) return wrong(fmt::format("with a name of more than {} bytes", kNameBytesMax));
  if (spec.rank < 0 || spec.rank > SNUG_MAX_RANK) {
    return wrong(fmt::format("of rank {}, expected 0 to {}", spec.rank, SNUG_MAX_RANK));
  }
  if (spec.rank > 0 && spec.dims == nullptr) return wrong("with a rank but no dimensions");
  return TensorSpec{std::string(spec.name, length), static_cast<DType>(spec.dtype),
                    Shape(spec.dims, spec.dims + spec.rank)};
}

Result<std::vector<TensorSpec>> CopySpecs(std::string_view kind, uint32_t count,
                                          const snug_tensor_spec* specs) {
  if (count > SNUG_MAX_TENSORS) {
    return FailedPrecondition("the engine reports {} {}s, the limit is {}", count, kind, SNUG_MAX_TENSORS);
  }
  if (count > 0 && specs == nullptr)
    return FailedPrecondition("the engine reports {} {}s but gives none", count, kind);
  std::vector<TensorSpec> copies;
  copies.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    SNUG_ASSIGN_OR_RETURN(TensorSpec copy, CopySpec(kind, i, specs[i]));
    copies.push_back(std::move(copy));
  }
  return copies;
}

Result<std::vector<Signature>> CopySignatures(const snug_model_info& report) {
  if (report.signature_count > kSignaturesMax) {
    return FailedPrecondition("the engine reports {} signatures, the limit is {}", report.signature_count,
                              kSignaturesMax);
  }
  if (report.signature_count > 0 && report.signatures == nullptr)
    return FailedPrecondition("the engine reports {} signatures but gives none", report.signature_count);
  std::vector<Signature> signatures(report.signature_count);
  for (uint32_t i = 0; i < report.signature_count; ++i) {
    const snug_signature& from = report.signatures[i];
    signatures[i].name = CleanText(from.name, kNameBytesMax);
    signatures[i].method = CleanText(from.method, kNameBytesMax);
    SNUG_ASSIGN_OR_RETURN(signatures[i].inputs, CopySpecs("input", from.input_count, from.inputs));
    SNUG_ASSIGN_OR_RETURN(signatures[i].outputs, CopySpecs("output", from.output_count, from.outputs));
  }
  return signatures;
}

Status CheckSpec(std::string_view kind, const TensorSpec& spec, bool batch_is_free) {
  auto wrong = [&](std::string_view what) {
    return FailedPrecondition("the engine reports {} \"{}\" {}", kind,
                              CleanText(spec.name.c_str(), kNameBytesMax), what);
  };
  if (spec.name.empty()) return wrong("with an empty name");
  if (!IsUtf8(spec.name)) return wrong("with a name that is not UTF-8");
  if (!IsValidDType(static_cast<int32_t>(spec.dtype))) {
    return wrong(fmt::format("of element type {}, which is none", static_cast<int32_t>(spec.dtype)));
  }
  if (spec.shape.size() > SNUG_MAX_RANK) return wrong("of too high a rank");
  for (int64_t dim : spec.shape) {
    if (dim < -1) return wrong(fmt::format("with dimension {}, expected -1 (free) or more", dim));
  }
  if (batch_is_free && (spec.shape.empty() || spec.shape[0] != -1)) {
    return wrong(
        fmt::format("of shape {} although it reports a free batch dimension", ShapeText(spec.shape)));
  }
  return {};
}

Status CheckKind(std::string_view kind, const std::vector<TensorSpec>& specs, bool batch_is_free) {
  if (specs.size() > SNUG_MAX_TENSORS) return FailedPrecondition("too many {}s: {}", kind, specs.size());
  std::set<std::string_view> names;
  for (const TensorSpec& spec : specs) {
    SNUG_RETURN_IF_ERROR(CheckSpec(kind, spec, batch_is_free));
    if (!names.insert(spec.name).second) {
      return FailedPrecondition("the engine reports two {}s named \"{}\"", kind, spec.name);
    }
  }
  return {};
}

}  // namespace

Status PluginStatus(std::string_view call, snug_code code, const snug_error& error) {
  if (code == SNUG_OK) return {};
  std::string text = CleanText(error.text, sizeof error.text);
  if (text.empty()) text = fmt::format("the engine's {} failed without saying why", call);
  if (code < 0 || code > static_cast<int32_t>(Code::kUnauthenticated)) {
    return Internal("the engine's {} returned {}, which is no code: {}", call, code, text);
  }
  return Status(static_cast<Code>(code), std::move(text));
}

Result<ModelInfo> CheckModelInfo(const snug_model_info& report) {
  ModelInfo info;
  SNUG_ASSIGN_OR_RETURN(info.inputs, CopySpecs("input", report.input_count, report.inputs));
  SNUG_ASSIGN_OR_RETURN(info.outputs, CopySpecs("output", report.output_count, report.outputs));
  info.memory_bytes = report.memory_bytes;
  info.batch_is_free = report.batch_is_free != 0;
  info.threads_per_instance = report.threads_per_instance;
  info.only_computes = report.only_computes != 0;
  info.decoupled = report.decoupled != 0;
  info.description = CleanText(report.description, SNUG_ERROR_TEXT_BYTES);
  info.signature = CleanText(report.signature, kNameBytesMax);
  info.method = CleanText(report.method, kNameBytesMax);
  SNUG_ASSIGN_OR_RETURN(info.signatures, CopySignatures(report));
  SNUG_RETURN_IF_ERROR(CheckSpecs(info));
  return info;
}

Status CheckSpecs(const ModelInfo& info) {
  if (info.outputs.empty()) return FailedPrecondition("the engine reports a model without outputs");
  if (info.threads_per_instance < 1) {
    return FailedPrecondition("the engine reports {} threads per instance, expected 1 or more",
                              info.threads_per_instance);
  }
  SNUG_RETURN_IF_ERROR(CheckKind("input", info.inputs, info.batch_is_free));
  SNUG_RETURN_IF_ERROR(CheckKind("output", info.outputs, info.batch_is_free));
  std::set<std::string_view> names{info.signature};
  for (const Signature& signature : info.signatures) {
    if (!names.insert(signature.name).second)
      return FailedPrecondition("the engine reports two signatures named \"{}\"", signature.name);
    if (signature.name.empty() || signature.outputs.empty())
      return FailedPrecondition("the engine reports a signature without a name or without outputs");
    SNUG_RETURN_IF_ERROR(CheckKind("input", signature.inputs, false));
    SNUG_RETURN_IF_ERROR(CheckKind("output", signature.outputs, false));
  }
  return {};
}

}  // namespace snug::engine
