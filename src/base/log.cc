#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>

namespace snug::log {
namespace {

constexpr unsigned Bit(Level level) {
  return 1u << static_cast<unsigned>(level);
}

struct State {
  std::shared_ptr<spdlog::logger> logger = spdlog::stderr_logger_mt("snug");
  std::string program;
  std::atomic<Format> format{Format::kText};
  std::atomic<unsigned> levels{Bit(Level::kInfo) | Bit(Level::kWarning) | Bit(Level::kError)};
};

State& TheState() {
  static State state;
  return state;
}

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Quotes a value where key=value would not be readable back otherwise.
std::string TextValue(const std::string& value) {
  bool plain = !value.empty() && value.find_first_of(" \t\n\"=") == std::string::npos;
  return plain ? value : nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string TextLine(std::string_view message, Fields fields) {
  std::string line(message);
  for (const auto& [key, value] : fields) {
    line.append(" ").append(key).append("=").append(TextValue(value));
  }
  return line;
}

std::string JsonFields(std::string_view message, Fields fields) {
  nlohmann::json json{{"message", message}};
  for (const auto& [key, value] : fields) json[std::string(key)] = value;
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return text.substr(1);  // the opening brace is in the pattern, before the time
}

std::string Pattern(Format format, const std::string& program) {
  switch (format) {
    case Format::kJson:
      return fmt::format(R"({{"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","program":"{}","pid":%P,%v)",
                         program);
    case Format::kIsoText:
      return fmt::format("%Y-%m-%dT%H:%M:%S.%e%z %L {}[%P] %v", program);
    case Format::kText:
      break;
  }
  return fmt::format("%H:%M:%S.%e %L {}[%P] %v", program);
}

}  // namespace

void Init(std::string_view program, Level level, Format format) {
  State& state = TheState();
  state.program = program;
  state.logger->flush_on(spdlog::level::debug);
  Change({level <= Level::kDebug, level <= Level::kInfo, level <= Level::kWarning, true, format});
}

Settings CurrentSettings() {
  const State& state = TheState();
  const unsigned levels = state.levels;
  auto has = [levels](Level level) { return (levels & Bit(level)) != 0; };
  return {has(Level::kDebug), has(Level::kInfo), has(Level::kWarning), has(Level::kError), state.format};
}

void Change(const Settings& settings) {
  State& state = TheState();
  state.levels = (settings.debug ? Bit(Level::kDebug) : 0) | (settings.info ? Bit(Level::kInfo) : 0) |
                 (settings.warning ? Bit(Level::kWarning) : 0) | (settings.error ? Bit(Level::kError) : 0);
  state.format = settings.format;
  state.logger->set_level(spdlog::level::debug);  // what is written is decided here
  state.logger->set_pattern(Pattern(settings.format, state.program));
}

Level LevelFromName(std::string_view name) {
  if (name == "debug") return Level::kDebug;
  if (name == "warning") return Level::kWarning;
  if (name == "error") return Level::kError;
  return Level::kInfo;
}

void Write(Level level, std::string_view message, Fields fields) {
  State& state = TheState();
  if ((state.levels & Bit(level)) == 0) return;
  std::string line = state.format == Format::kJson ? JsonFields(message, fields) : TextLine(message, fields);
  state.logger->log(ToSpdlog(level), "{}", line);
}

}  // namespace snug::log
