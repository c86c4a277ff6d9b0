#include "common/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <string>

#include "common/text.h"

namespace voxbit::log {
namespace {

struct Logger {
  std::shared_ptr<spdlog::logger> sink = spdlog::stderr_logger_mt("voxbit");
  Format format = Format::kText;
  std::string program = "voxbit";
};

// The one process-wide object of the tree: log lines of all threads meet on standard error.
Logger& TheLogger() {
  static Logger logger;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
  return logger;
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
    case Level::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
    case Level::kOff:
      return "off";
  }
  return "info";
}

std::string UtcNow() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[40];
  const size_t length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
  return std::string(text, length) + fmt::format(".{:03}Z", millis);
}

std::string JsonLine(const Logger& logger, Level level, std::string_view message,
                     const nlohmann::json& fields) {
  nlohmann::ordered_json line = {{"time", UtcNow()},
                                 {"level", LevelName(level)},
                                 {"program", logger.program},
                                 {"message", message}};
  if (fields.is_object()) {
    for (const auto& [key, value] : fields.items()) line[key] = value;
  }
  return PrintableJson(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

// A text that looks like the end of its field and the begin of another stands in quotes.
std::string FieldText(const nlohmann::json& value) {
  const bool is_text = value.is_string();
  const bool is_plain =
      is_text && value.get_ref<const std::string&>().find("  ") == std::string::npos;
  return Printable(is_plain ? value.get<std::string>()
                            : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string TextLine(std::string_view message, const nlohmann::json& fields) {
  std::string line = Printable(message);
  if (!fields.is_object()) return line;
  for (const auto& [key, value] : fields.items()) line += "  " + key + "=" + FieldText(value);
  return line;
}

void Write(Level level, std::string_view message, const nlohmann::json& fields) {
  const Logger& logger = TheLogger();
  if (!logger.sink->should_log(ToSpdlog(level))) return;
  const std::string line = logger.format == Format::kJson ? JsonLine(logger, level, message, fields)
                                                          : TextLine(message, fields);
  logger.sink->log(ToSpdlog(level), "{}", line);
}

}  // namespace

void Configure(Format format, Level level, std::string_view program) {
  Logger& logger = TheLogger();
  logger.format = format;
  logger.program = program;
  logger.sink->set_level(ToSpdlog(level));
  // RFC 3339 with the offset of the local zone.
  logger.sink->set_pattern(
      format == Format::kJson ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z %-7l " + logger.program + "  %v");
  logger.sink->flush_on(spdlog::level::debug);
}

void Debug(std::string_view message, const nlohmann::json& fields) {
  Write(Level::kDebug, message, fields);
}
void Info(std::string_view message, const nlohmann::json& fields) {
  Write(Level::kInfo, message, fields);
}
void Warning(std::string_view message, const nlohmann::json& fields) {
  Write(Level::kWarning, message, fields);
}
void Error(std::string_view message, const nlohmann::json& fields) {
  Write(Level::kError, message, fields);
}

}  // namespace voxbit::log
