// Structured logging: one line an event, key=value pairs after a message, on stderr (and JSON lines when
// asked).
//
//   log::Info("model loaded", {{"model", name}, {"version", "3"}, {"ms", "812"}});
//
// Thread-safe. No secrets and no payload bytes in a line.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace snug::log {

enum class Level { kDebug, kInfo, kWarning, kError };
enum class Format { kText, kIsoText, kJson };  // kIsoText: as kText, with date and zone

using Field = std::pair<std::string_view, std::string>;
using Fields = std::initializer_list<Field>;

// Once at start; `program` is printed in each line.
void Init(std::string_view program, Level level = Level::kInfo, Format format = Format::kText);
// "debug", "info", "warning", "error"; info for anything else.
Level LevelFromName(std::string_view name);

// What is written at the moment. Each level is a switch of its own.
struct Settings {
  bool debug = false, info = true, warning = true, error = true;
  Format format = Format::kText;

  bool operator==(const Settings&) const = default;
};
Settings CurrentSettings();
void Change(const Settings& settings);

void Write(Level level, std::string_view message, Fields fields = {});
inline void Debug(std::string_view message, Fields fields = {}) {
  Write(Level::kDebug, message, fields);
}
inline void Info(std::string_view message, Fields fields = {}) {
  Write(Level::kInfo, message, fields);
}
inline void Warning(std::string_view message, Fields fields = {}) {
  Write(Level::kWarning, message, fields);
}
inline void Error(std::string_view message, Fields fields = {}) {
  Write(Level::kError, message, fields);
}

}  // namespace snug::log
