// Structured logging to standard error: log::Info("leased", {{"task", id}}).
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace voxbit::log {

enum class Format { kText, kJson };
enum class Level { kDebug, kInfo, kWarning, kError, kOff };

// Call once, first thing in main. Text:
// "2026-03-01T12:00:00.000+01:00 info    search-server  leased  task=7". JSON: one object a line
// with "time" (UTC), "level", "message", "program" and the fields. A line is a line, whatever the
// message and the fields hold (Printable of common/text.h).
void Configure(Format format, Level level, std::string_view program);

// Thread-safe. `fields` is a JSON object.
void Debug(std::string_view message, const nlohmann::json& fields = nullptr);
void Info(std::string_view message, const nlohmann::json& fields = nullptr);
void Warning(std::string_view message, const nlohmann::json& fields = nullptr);
void Error(std::string_view message, const nlohmann::json& fields = nullptr);

}  // namespace voxbit::log
