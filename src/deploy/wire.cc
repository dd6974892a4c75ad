#include "deploy/wire.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace snug::deploy {
namespace {

using Json = nlohmann::json;

constexpr size_t kErrorCharsMax = 2000;
constexpr size_t kIndexEntriesMax = 100000;

Result<Json> ParseJson(std::string_view text, const char* what) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return InvalidArgument("{}: not JSON", what);
  return json;
}

// A whole number in [0, max] under `key`; 0 when absent or anything else.
uint64_t Number(const Json& json, const char* key, uint64_t max) {
  auto it = json.find(key);
  if (it == json.end() || !it->is_number_unsigned()) return 0;
  uint64_t value = it->get<uint64_t>();
  return value <= max ? value : 0;
}

std::string Text(const Json& json, const char* key) {
  auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool Flag(const Json& json, const char* key) {
  auto it = json.find(key);
  return it != json.end() && it->is_boolean() && it->get<bool>();
}

// "3" as Triton's index says it, or 3.
int64_t VersionOf(const Json& json) {
  if (uint64_t number = Number(json, "version", INT64_MAX)) return static_cast<int64_t>(number);
  std::string text = Text(json, "version");
  int64_t version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

// One that waits for its next request, or is loaded for one, takes requests like another.
IndexState StateOf(const std::string& text, bool takes_requests) {
  if (text == "READY" || takes_requests) return IndexState::kReady;
  if (text == "LOADING") return IndexState::kLoading;
  return text == "UNLOADING" ? IndexState::kUnloading : IndexState::kUnavailable;
}

}  // namespace

std::string RecordText(const ProcessRecord& record) {
  return Json{{"pid", record.process.pid},
              {"start_ticks", record.process.start_ticks},
              {"fingerprint", record.fingerprint}}
      .dump();
}

Result<ProcessRecord> ParseRecord(std::string_view text) {
  SNUG_ASSIGN_OR_RETURN(Json json, ParseJson(text, "process record"));
  if (!json.is_object()) return InvalidArgument("process record: expected an object");
  ProcessRecord record;
  record.process.pid = static_cast<pid_t>(Number(json, "pid", INT32_MAX));
  record.process.start_ticks = Number(json, "start_ticks", UINT64_MAX);
  record.fingerprint = Text(json, "fingerprint");
  return record;
}

Result<ReadyFile> ParseReadyFile(std::string_view text) {
  SNUG_ASSIGN_OR_RETURN(Json json, ParseJson(text, "ready file"));
  if (!json.is_object()) return InvalidArgument("ready file: expected an object");
  ReadyFile ready{static_cast<int64_t>(Number(json, "pid", INT32_MAX)),
                  static_cast<uint16_t>(Number(json, "grpc_port", UINT16_MAX)),
                  static_cast<uint16_t>(Number(json, "rest_port", UINT16_MAX))};
  if (ready.pid == 0 || ready.grpc_port == 0 || ready.rest_port == 0) {
    return InvalidArgument("ready file: expected pid, grpc_port and rest_port, all above 0");
  }
  return ready;
}

Result<std::vector<IndexEntry>> ParseIndex(std::string_view text) {
  SNUG_ASSIGN_OR_RETURN(Json json, ParseJson(text, "model index"));
  if (!json.is_array()) return InvalidArgument("model index: expected an array");
  if (json.size() > kIndexEntriesMax)
    return InvalidArgument("model index: over {} entries", kIndexEntriesMax);
  std::vector<IndexEntry> entries;
  for (const Json& item : json) {
    if (!item.is_object()) return InvalidArgument("model index: expected objects");
    IndexEntry entry{Text(item, "name"),
                     VersionOf(item),
                     StateOf(Text(item, "state"), Flag(item, "takes_requests")),
                     Text(item, "reason"),
                     Number(item, "memory_bytes", UINT64_MAX),
                     Text(item, "description")};
    // Entries without a version say that the model has none loaded; nothing follows from them.
    if (!entry.name.empty() && entry.version > 0) entries.push_back(std::move(entry));
  }
  return entries;
}

std::string VersionBody(int64_t version) {
  return Json{{"parameters", {{"version", std::to_string(version)}, {"wait", false}}}}.dump();
}

std::string ErrorText(std::string_view body) {
  Json json = Json::parse(body, nullptr, false);
  std::string text = json.is_object() ? Text(json, "error") : std::string();
  if (text.empty()) text = std::string(body);
  return text.substr(0, kErrorCharsMax);
}

}  // namespace snug::deploy
