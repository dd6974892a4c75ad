#include "server/rest_settings.h"

#include "server/json_reader.h"
#include "server/json_writer.h"
#include "server/log_settings.h"

namespace snug::server {
namespace {

// Values of these are lists, those of others one string.
bool IsList(const std::string& setting) {
  return setting == "trace_level";
}

void ReadValues(JsonReader& json, std::vector<std::string>& values) {
  constexpr size_t kValuesMax = 8;
  const char next = json.Peek();
  if (next == 'n') {
    json.Skip();
  } else if (next == '[') {
    for (json.BeginArray(); json.Element();) {
      if (values.size() == kValuesMax) json.Fail("more values than a trace setting has");
      json.String(values.emplace_back());
    }
  } else if (next == '"') {
    json.String(values.emplace_back());
  } else {
    int64_t number = 0;
    if (json.Int(number)) values.push_back(std::to_string(number));
  }
}

}  // namespace

Result<TraceValues> ParseTraceValues(std::string_view body) {
  TraceValues changes;
  JsonReader json(body);
  if (json.AtEnd()) return changes;
  std::string key;
  for (json.BeginObject(); json.Key(key);) ReadValues(json, changes[key]);
  SNUG_RETURN_IF_ERROR(json.Finish());
  return changes;
}

Result<std::string> LoggingDocument(Core&, const std::string&, const std::string& body) {
  SNUG_ASSIGN_OR_RETURN(const LogValues changes, ParseLogValues(body));
  SNUG_RETURN_IF_ERROR(ChangeLog(changes));
  return LogValuesJson(CurrentLogValues());
}

Result<std::string> TraceDocument(Core& core, const std::string& model, const std::string& body) {
  SNUG_ASSIGN_OR_RETURN(const TraceValues changes, ParseTraceValues(body));
  SNUG_ASSIGN_OR_RETURN(const TraceValues values, ChangeTracing(core, model, changes));
  JsonWriter json;
  json.BeginObject();
  for (const auto& [name, all] : values) {
    json.Key(name);
    if (!IsList(name)) {
      json.Value(all[0]);
      continue;
    }
    json.BeginArray();
    for (const std::string& value : all) json.Value(value);
    json.EndArray();
  }
  json.EndObject();
  return json.Take();
}

}  // namespace snug::server
