#include "common/text.h"

#include <array>
#include <cstdio>

namespace voxbit {
namespace {

constexpr size_t kMaxNameBytes = 100;

bool IsEscaped(const Character& character) {
  const char32_t code = character.code;
  if (!character.is_valid || code < 0x20 || (code >= 0x7F && code < 0xA0)) return true;
  const bool turns = code == 0x061C || code == 0x200E || code == 0x200F ||
                     (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return turns || code == 0x2028 || code == 0x2029 || code == 0xFEFF;
}

std::string Hex(const char* format, unsigned value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string Escape(const Character& character, char first) {
  if (!character.is_valid) return Hex("\\x%02x", static_cast<unsigned char>(first));
  switch (character.code) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return Hex(character.code < 0x80 ? "\\x%02x" : "\\u%04x", character.code);
  }
}

// `text` with each character that is to be escaped replaced by what `escape` makes of it.
template <class EscapeOne>
std::string Escaped(std::string_view text, EscapeOne escape) {
  std::string out;
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    if (IsEscaped(character)) {
      out += escape(character, text.front());
    } else {
      out += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
  return out;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    if (!character.is_valid) return false;
    text.remove_prefix(character.bytes);
  }
  return true;
}

}  // namespace

Character FirstCharacter(std::string_view text) {
  constexpr Character kInvalid{0xFFFD, 1, false};
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const size_t bytes = (first & 0xE0U) == 0xC0   ? 2
                       : (first & 0xF0U) == 0xE0 ? 3
                       : (first & 0xF8U) == 0xF0 ? 4
                                                 : 0;
  if (bytes == 0 || text.size() < bytes) return kInvalid;
  char32_t code = first & (0xFFU >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return kInvalid;
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kSmallest[bytes] || code > 0x10FFFF || is_surrogate) return kInvalid;
  return {code, bytes, true};
}

std::string Printable(std::string_view text) { return Escaped(text, &Escape); }

std::string PrintableLines(std::string_view text) {
  return Escaped(text, [](const Character& character, char first) {
    const bool is_layout = first == '\n' || first == '\r' || first == '\t';
    return is_layout ? std::string(1, first) : Escape(character, first);
  });
}

// Control characters below 0x20 are escaped in JSON already; those that stand between its parts
// are its layout.
std::string PrintableJson(std::string_view json) {
  return Escaped(json, [](const Character& character, char first) {
    if (character.is_valid && character.code < 0x20) return std::string(1, first);
    return Hex("\\u%04x", character.code);
  });
}

Status CheckName(std::string_view what, std::string_view name) {
  const bool has_edge = !name.empty() && (name.front() == ' ' || name.back() == ' ');
  if (!name.empty() && name.size() <= kMaxNameBytes && !has_edge && IsUtf8(name)) {
    return OkStatus();
  }
  constexpr size_t kShownBytes = 2 * kMaxNameBytes;
  return InvalidArgument(std::string(what) +
                         " needs 1 to 100 bytes of UTF-8 without a space at either end, "
                         "found \"" +
                         Printable(name.substr(0, kShownBytes)) +
                         (name.size() > kShownBytes ? "...\"" : "\""));
}

Status CheckArguments(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (IsUtf8(arguments[i])) continue;
    return InvalidArgument("argument " + std::to_string(i + 1) + " is not UTF-8 text: \"" +
                           Printable(arguments[i]) + "\"");
  }
  return OkStatus();
}

}  // namespace voxbit
