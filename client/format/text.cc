#include "client/format/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "common/text.h"
#include "search/domain/metric.h"

namespace voxbit::client {
namespace {

struct CodeRange {
  char32_t first;
  char32_t last;
};

template <size_t kSize>
bool InRanges(char32_t code, const std::array<CodeRange, kSize>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [code](const CodeRange& range) {
    return code >= range.first && code <= range.last;
  });
}

// The blocks that matter for names and messages, after Unicode's EastAsianWidth.txt.
size_t GlyphWidth(char32_t code) {
  static constexpr std::array<CodeRange, 5> kZero = {
      {{0x0300, 0x036F}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}}};
  static constexpr std::array<CodeRange, 8> kWide = {{{0x1100, 0x115F},
                                                      {0x2E80, 0x303E},
                                                      {0x3041, 0xA4CF},
                                                      {0xAC00, 0xD7A3},
                                                      {0xF900, 0xFAFF},
                                                      {0xFE30, 0xFE6F},
                                                      {0xFF00, 0xFF60},
                                                      {0x1F300, 0x1FAFF}}};
  if (code < 0x0300) return 1;
  if (InRanges(code, kZero)) return 0;
  return InRanges(code, kWide) ? 2 : 1;
}

std::string Print(const char* format, double value) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

// Three significant digits without trailing zeros, for 0.001 <= |value| < 1000.
std::string ThreeDigits(double value) {
  const double size = std::abs(value);
  std::string text = size >= 100  ? Print("%.0f", value)
                     : size >= 10 ? Print("%.1f", value)
                     : size >= 1  ? Print("%.2f", value)
                                  : Print("%.3f", value);
  if (text.find('.') != std::string::npos) {
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

// `value` with a decimal prefix before `unit`; "" gives "1.25 G".
std::string WithPrefix(double value, const std::string& unit) {
  static constexpr std::array<const char*, 7> kPrefixes = {"", "k", "M", "G", "T", "P", "E"};
  if (value != 0 && std::abs(value) < 0.0995) {
    return Print("%.3g", value) + (unit.empty() ? "" : " " + unit);
  }
  size_t prefix = 0;
  double scaled = value;
  // 999.5 would be printed as 1000: the next prefix takes it.
  while (std::abs(scaled) >= 999.5 && prefix + 1 < kPrefixes.size()) {
    scaled /= 1000;
    ++prefix;
  }
  const std::string suffix = kPrefixes[prefix] + unit;
  return ThreeDigits(scaled) + (suffix.empty() ? "" : " " + suffix);
}

std::string Pair(int64_t large, const char* large_unit, int64_t small, const char* small_unit) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%lld %s %02lld %s", static_cast<long long>(large),
                large_unit,                                  // NOLINT(google-runtime-int): printf
                static_cast<long long>(small), small_unit);  // NOLINT(google-runtime-int): printf
  return buffer.data();
}

}  // namespace

size_t DisplayWidth(std::string_view utf8) {
  size_t width = 0;
  while (!utf8.empty()) {
    const Character glyph = FirstCharacter(utf8);
    width += GlyphWidth(glyph.code);
    utf8.remove_prefix(glyph.bytes);
  }
  return width;
}

std::string Clip(std::string_view utf8, size_t width) {
  if (DisplayWidth(utf8) <= width) return std::string(utf8);
  if (width == 0) return "";
  size_t used = 0;
  size_t bytes = 0;
  while (bytes < utf8.size()) {
    const Character glyph = FirstCharacter(utf8.substr(bytes));
    const size_t next = GlyphWidth(glyph.code);
    if (used + next > width - 1) break;
    used += next;
    bytes += glyph.bytes;
  }
  return std::string(utf8.substr(0, bytes)) + "…";
}

std::string PadRight(std::string_view utf8, size_t width) {
  const size_t used = DisplayWidth(utf8);
  return std::string(utf8) + std::string(used < width ? width - used : 0, ' ');
}

std::string PadLeft(std::string_view utf8, size_t width) {
  const size_t used = DisplayWidth(utf8);
  return std::string(used < width ? width - used : 0, ' ') + std::string(utf8);
}

std::string OneLine(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return Printable(line);
}

std::string HumanCount(double value) { return WithPrefix(value, ""); }
std::string HumanCount(const std::optional<double>& value) {
  return value.has_value() ? HumanCount(*value) : "-";
}
std::string HumanBytes(double bytes) { return WithPrefix(bytes, "B"); }

std::string HumanMilliseconds(double ms) {
  if (std::abs(ms) >= 10'000) return ThreeDigits(ms / 1000) + " s";
  if (std::abs(ms) >= 999.5) return Print("%.0f", ms) + " ms";
  if (ms != 0 && std::abs(ms) < 0.0995) return Print("%.3g", ms) + " ms";
  return ThreeDigits(ms) + " ms";
}

std::string HumanMetric(std::string_view metric, double value) {
  const Result<search::Metric> known = search::FindMetric(metric);
  if (!known.ok()) {
    if (metric.ends_with("_ms")) return HumanMilliseconds(value);
    return metric.ends_with("_bytes") ? HumanBytes(value) : HumanCount(value);
  }
  if (known->unit == "ms") return HumanMilliseconds(value);
  if (known->unit == "byte") return HumanBytes(value);
  if (known->direction == search::Direction::kHigher) return Print("%.4f", value);
  return HumanCount(value);
}

std::string HumanSpan(int64_t ms) {
  const int64_t seconds = std::max<int64_t>(0, ms) / 1000;
  if (seconds < 60) return std::to_string(seconds) + " s";
  const int64_t minutes = seconds / 60;
  if (minutes < 60) return Pair(minutes, "min", seconds % 60, "s");
  const int64_t hours = minutes / 60;
  if (hours < 48) return Pair(hours, "h", minutes % 60, "min");
  return Pair(hours / 24, "d", hours % 24, "h");
}

std::string HumanAge(int64_t now_ms, int64_t then_ms) {
  if (then_ms == 0) return "-";
  return HumanSpan(now_ms - then_ms) + " ago";
}

std::string UtcTime(int64_t unix_ms) {
  if (unix_ms == 0) return "-";
  // Civil date of a day count: Hinnant, "chrono-compatible low-level date algorithms".
  int64_t seconds = unix_ms / 1000;
  int64_t days = seconds / 86'400;
  seconds %= 86'400;
  if (seconds < 0) {
    seconds += 86'400;
    --days;
  }
  days += 719'468;
  const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const int64_t day_of_era = days - era * 146'097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02d-%02d %02d:%02d:%02d UTC",
                static_cast<int>(year), static_cast<int>(month), static_cast<int>(day),
                static_cast<int>(seconds / 3600), static_cast<int>(seconds / 60 % 60),
                static_cast<int>(seconds % 60));
  return buffer.data();
}

std::string Bar(double fraction, size_t width) {
  const double clamped = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
  const auto full = static_cast<size_t>(std::floor(clamped * static_cast<double>(width) + 1e-9));
  std::string bar;
  for (size_t i = 0; i < width; ++i) bar += i < full ? "━" : "─";
  return bar;
}

}  // namespace voxbit::client
