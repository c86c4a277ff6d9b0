// Numbers, spans of time and text as people read them on a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace voxbit::client {

// Terminal columns of UTF-8 text: combining marks take none, wide East Asian characters two. An
// invalid byte counts as one.
size_t DisplayWidth(std::string_view utf8);
// `utf8` cut to at most `width` columns; what was cut ends in "…".
std::string Clip(std::string_view utf8, size_t width);
// Filled with spaces up to `width` columns, on the right or on the left.
std::string PadRight(std::string_view utf8, size_t width);
std::string PadLeft(std::string_view utf8, size_t width);
// Printable of common/text.h, with spaces in the place of line breaks and tabs: what a server or a
// worker says must not steer the terminal.
std::string OneLine(std::string_view text);

// Three significant digits and an SI prefix: "1.25 G", "3.4 M", "999". Trailing zeros are left out.
std::string HumanCount(double value);
// The same; "-" where there is none.
std::string HumanCount(const std::optional<double>& value);
// Decimal units: "3.41 MB", "12 B".
std::string HumanBytes(double bytes);
// "12.3 ms", "0.451 ms", "1.2 s" from 10 000 ms on.
std::string HumanMilliseconds(double ms);
// A value by the unit and direction that search/domain/metric.h has for `metric`; ratios with four
// decimals. A metric that the table does not have is read by the end of its name (_ms, _bytes).
std::string HumanMetric(std::string_view metric, double value);
// "42 s", "3 min 20 s", "1 h 05 min", "2 d 03 h".
std::string HumanSpan(int64_t ms);
// HumanSpan of the time since `then_ms` with "ago"; "-" when `then_ms` is 0.
std::string HumanAge(int64_t now_ms, int64_t then_ms);
// "2024-05-01 12:00:03 UTC"; "-" for 0.
std::string UtcTime(int64_t unix_ms);

// "━━━━━━━━────────" of `width` columns. `fraction` is clamped to [0, 1].
std::string Bar(double fraction, size_t width);

}  // namespace voxbit::client
