#include "server/log_settings.h"

#include <iterator>
#include <limits>

#include "base/log.h"
#include "server/json_reader.h"
#include "server/json_writer.h"

namespace snug::server {
namespace {

struct FormatName {
  const char* name;
  log::Format format;
};
constexpr FormatName kFormats[] = {
    {"default", log::Format::kText}, {"ISO8601", log::Format::kIsoText}, {"json", log::Format::kJson}};

struct Switch {
  const char* name;
  bool log::Settings::*level;
};
constexpr Switch kSwitches[] = {{"log_info", &log::Settings::info},
                                {"log_warning", &log::Settings::warning},
                                {"log_error", &log::Settings::error}};

constexpr const char* kVerbose = "log_verbose_level";
constexpr const char* kFormat = "log_format";
constexpr const char* kFile = "log_file";

Status ChangeFormat(const LogValue& value, log::Settings& settings) {
  const auto* name = std::get_if<std::string>(&value);
  for (const FormatName& format : kFormats) {
    if (name == nullptr || *name != format.name) continue;
    settings.format = format.format;
    return {};
  }
  return InvalidArgument("{}: expected \"default\", \"ISO8601\" or \"json\"", kFormat);
}

Status ChangeOne(const std::string& name, const LogValue& value, log::Settings& settings) {
  for (const Switch& one : kSwitches) {
    if (name != one.name) continue;
    const bool* on = std::get_if<bool>(&value);
    if (on == nullptr) return InvalidArgument("{}: expected true or false", name);
    settings.*one.level = *on;
    return {};
  }
  if (name == kVerbose) {
    const auto* level = std::get_if<uint32_t>(&value);
    if (level == nullptr) return InvalidArgument("{}: expected a whole number from 0 on", name);
    settings.debug = *level > 0;
    return {};
  }
  if (name == kFormat) return ChangeFormat(value, settings);
  if (name == kFile)
    return InvalidArgument("log_file cannot be changed by a call: the server logs to stderr");
  return InvalidArgument(
      "unknown log setting \"{}\"; known are log_info, log_warning, log_error, log_verbose_level, log_format",
      name.substr(0, 64));
}

bool ReadValue(JsonReader& json, LogValue& value) {
  const char next = json.Peek();
  if (next == '"') return json.String(value.emplace<std::string>());
  if (next == 't' || next == 'f') return json.Bool(value.emplace<bool>());
  int64_t number = 0;
  if (!json.Int(number)) return false;
  if (number < 0 || number > std::numeric_limits<uint32_t>::max())
    return json.Fail("a log setting must not be negative, or more than 32 bits hold");
  value = static_cast<uint32_t>(number);
  return true;
}

}  // namespace

LogValues CurrentLogValues() {
  const log::Settings settings = log::CurrentSettings();
  LogValues values{{kFile, std::string()}, {kVerbose, settings.debug ? 1u : 0u}};
  for (const Switch& one : kSwitches) values[one.name] = settings.*one.level;
  for (const FormatName& format : kFormats) {
    if (format.format == settings.format) values[kFormat] = std::string(format.name);
  }
  return values;
}

Status ChangeLog(const LogValues& changes) {
  log::Settings settings = log::CurrentSettings();
  for (const auto& [name, value] : changes) SNUG_RETURN_IF_ERROR(ChangeOne(name, value, settings));
  if (!changes.empty()) log::Change(settings);
  return {};
}

Result<LogValues> ParseLogValues(std::string_view body) {
  LogValues values;
  JsonReader json(body);
  if (json.AtEnd()) return values;
  std::string key;
  for (json.BeginObject(); json.Key(key);) {
    if (!ReadValue(json, values[key])) break;
  }
  SNUG_RETURN_IF_ERROR(json.Finish());
  return values;
}

std::string LogValuesJson(const LogValues& values) {
  JsonWriter json;
  json.BeginObject();
  for (const auto& [name, value] : values) {
    json.Key(name);
    std::visit([&json](const auto& one) { json.Value(one); }, value);
  }
  json.EndObject();
  return json.Take();
}

}  // namespace snug::server
