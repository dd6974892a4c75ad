#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <nlohmann/json.hpp>

namespace snug::log {
namespace {

struct State {
  std::shared_ptr<spdlog::logger> logger = spdlog::stderr_logger_mt("snug");
  Format format = Format::kText;
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

}  // namespace

void Init(std::string_view program, Level level, Format format) {
  State& state = TheState();
  state.format = format;
  state.logger->set_level(ToSpdlog(level));
  state.logger->set_pattern(
      format == Format::kJson
          ? fmt::format(R"({{"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","program":"{}","pid":%P,%v)",
                        program)
          : fmt::format("%H:%M:%S.%e %L {}[%P] %v", program));
  state.logger->flush_on(spdlog::level::debug);
}

Level LevelFromName(std::string_view name) {
  if (name == "debug") return Level::kDebug;
  if (name == "warning") return Level::kWarning;
  if (name == "error") return Level::kError;
  return Level::kInfo;
}

void Write(Level level, std::string_view message, Fields fields) {
  State& state = TheState();
  auto spd_level = ToSpdlog(level);
  if (!state.logger->should_log(spd_level)) return;
  std::string line = state.format == Format::kJson ? JsonFields(message, fields) : TextLine(message, fields);
  state.logger->log(spd_level, "{}", line);
}

}  // namespace snug::log
