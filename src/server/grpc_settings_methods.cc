// The logging and trace extensions over gRPC.
#include <grpc_service.pb.h>

#include "server/grpc_unary.h"
#include "server/log_settings.h"

namespace snug::server {
namespace {

Result<LogValue> LogValueOf(const std::string& name,
                            const inference::LogSettingsRequest::SettingValue& value) {
  using Value = inference::LogSettingsRequest::SettingValue;
  switch (value.parameter_choice_case()) {
    case Value::kBoolParam:
      return LogValue(value.bool_param());
    case Value::kUint32Param:
      return LogValue(value.uint32_param());
    case Value::kStringParam:
      return LogValue(value.string_param());
    default:
      return InvalidArgument("{}: the setting has no value", name);
  }
}

void Fill(const LogValue& value, inference::LogSettingsResponse::SettingValue* out) {
  if (const auto* on = std::get_if<bool>(&value)) {
    out->set_bool_param(*on);
  } else if (const auto* number = std::get_if<uint32_t>(&value)) {
    out->set_uint32_param(*number);
  } else {
    out->set_string_param(std::get<std::string>(value));
  }
}

Status LogSettings(Core&, const inference::LogSettingsRequest& request,
                   inference::LogSettingsResponse& response) {
  LogValues changes;
  for (const auto& [name, value] : request.settings()) {
    SNUG_ASSIGN_OR_RETURN(changes[name], LogValueOf(name, value));
  }
  SNUG_RETURN_IF_ERROR(ChangeLog(changes));
  for (const auto& [name, value] : CurrentLogValues()) Fill(value, &(*response.mutable_settings())[name]);
  return {};
}

Status TraceSetting(Core& core, const inference::TraceSettingRequest& request,
                    inference::TraceSettingResponse& response) {
  TraceValues changes;
  for (const auto& [name, setting] : request.settings())
    changes[name].assign(setting.value().begin(), setting.value().end());
  SNUG_ASSIGN_OR_RETURN(const TraceValues values, ChangeTracing(core, request.model_name(), changes));
  for (const auto& [name, all] : values) {
    auto& out = (*response.mutable_settings())[name];
    for (const std::string& value : all) out.add_value(value);
  }
  return {};
}

constexpr GrpcMethod kMethods[] = {SNUG_UNARY(LogSettings), SNUG_UNARY(TraceSetting)};

}  // namespace

std::span<const GrpcMethod> OipSettingsMethods() {
  return kMethods;
}

}  // namespace snug::server
