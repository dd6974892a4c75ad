#include "server/tfs_call.h"

#include <algorithm>

#include "engine/signatures.h"

namespace snug::server {
namespace {

struct TypeRow {
  DType dtype;
  int number;
  std::string_view name;
};
constexpr TypeRow kTypes[] = {
    {DType::kFp32, 1, "DT_FLOAT"},     {DType::kFp64, 2, "DT_DOUBLE"},    {DType::kInt32, 3, "DT_INT32"},
    {DType::kUint8, 4, "DT_UINT8"},    {DType::kInt16, 5, "DT_INT16"},    {DType::kInt8, 6, "DT_INT8"},
    {DType::kBytes, 7, "DT_STRING"},   {DType::kInt64, 9, "DT_INT64"},    {DType::kBool, 10, "DT_BOOL"},
    {DType::kBf16, 14, "DT_BFLOAT16"}, {DType::kUint16, 17, "DT_UINT16"}, {DType::kFp16, 19, "DT_HALF"},
    {DType::kUint32, 22, "DT_UINT32"}, {DType::kUint64, 23, "DT_UINT64"},
};

const TypeRow& RowOf(DType dtype) {
  return *std::find_if(std::begin(kTypes), std::end(kTypes),
                       [dtype](const TypeRow& row) { return row.dtype == dtype; });
}

bool IsNumber(std::string_view version) {
  return !version.empty() &&
         std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// As ServableRequest prints itself.
std::string RequestText(const TfsTarget& target) {
  if (target.version.empty()) return fmt::format("Latest({})", target.model);
  return fmt::format("Specific({}, {})", target.model, target.version);
}

}  // namespace

Status TfsError(const Status& status, const TfsTarget& target) {
  if (status.code() != Code::kNotFound) return status;
  return NotFound("Servable not found for request: {} ({})", RequestText(target), status.text());
}

Result<TfsModel> FindTfsModel(const Core& core, const TfsTarget& target) {
  auto description = core.models.Describe(target.model, target.version);
  if (!description.ok()) return TfsError(description.status(), target);
  const bool nameless = description->info.signature.empty() && target.SignatureName() == kDefaultSignature;
  auto signature = engine::InfoOfSignature(description->info, nameless ? "" : target.signature);
  if (!signature.ok())
    return FailedPrecondition("Serving signature key \"{}\" not found. ({})", target.signature,
                              signature.status().text());
  return TfsModel{*std::move(description), *std::move(signature)};
}

std::vector<engine::Signature> TfsSignatures(const engine::ModelInfo& info) {
  const bool nameless = info.signature.empty();
  std::vector<engine::Signature> all{{nameless ? std::string(kDefaultSignature) : info.signature,
                                      nameless ? std::string(kPredictMethod) : info.method, info.inputs,
                                      info.outputs}};
  all.insert(all.end(), info.signatures.begin(), info.signatures.end());
  return all;
}

std::string_view TfsTypeName(DType dtype) {
  return RowOf(dtype).name;
}

int TfsTypeNumber(DType dtype) {
  return RowOf(dtype).number;
}

std::optional<DType> TypeFromTfs(int number) {
  for (const TypeRow& row : kTypes) {
    if (row.number == number) return row.dtype;
  }
  return std::nullopt;
}

TfsState TfsStateOf(serving::State state) {
  switch (state) {
    case serving::State::kLoading:
      return {20, "LOADING"};
    case serving::State::kStandby:
    case serving::State::kReady:
      return {30, "AVAILABLE"};
    case serving::State::kUnloading:
      return {40, "UNLOADING"};
    default:
      return {50, "END"};
  }
}

Result<std::vector<serving::VersionStatus>> TfsStatuses(const Core& core, const TfsTarget& target) {
  std::string version = target.version;
  if (!version.empty() && !IsNumber(version)) {
    auto labelled = core.models.Describe(target.model, version);
    if (!labelled.ok()) return TfsError(labelled.status(), target);
    version = std::to_string(labelled->version);
  }
  std::vector<serving::VersionStatus> found;
  for (auto& status : core.models.Index()) {
    if (status.name != target.model) continue;
    if (version.empty() || std::to_string(status.version) == version) found.push_back(std::move(status));
  }
  std::reverse(found.begin(), found.end());
  if (!found.empty()) return found;
  if (version.empty()) return NotFound("Could not find any versions of model {}", target.model);
  return NotFound("Could not find version {} of model {}", version, target.model);
}

Status TfsVersionError(const serving::VersionStatus& version) {
  if (version.state != serving::State::kUnavailable) return {};
  const std::string_view reason = version.reason;
  for (int code = 1; code <= static_cast<int>(Code::kUnauthenticated); ++code) {
    const std::string prefix = fmt::format("{}: ", CodeName(static_cast<Code>(code)));
    if (reason.starts_with(prefix))
      return Status(static_cast<Code>(code), std::string(reason.substr(prefix.size())));
  }
  return Status(Code::kUnknown, version.reason);
}

}  // namespace snug::server
