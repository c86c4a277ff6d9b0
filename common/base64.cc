#include "common/base64.h"

#include <array>
#include <cstdint>

namespace voxbit {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::array<int, 256> MakeValues() {
  std::array<int, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<int>(i);
  }
  return values;
}

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8U | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      text += j <= count ? kDigits[group >> (18U - 6U * static_cast<uint32_t>(j)) & 63U] : '=';
    }
  }
  return text;
}

Result<std::string> DecodeBase64(std::string_view text) {
  static const std::array<int, 256> values = MakeValues();
  if (text.size() % 4 != 0) {
    return InvalidArgument("base64 text of " + std::to_string(text.size()) +
                           " characters is not a multiple of four");
  }
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    const bool is_last = i + 4 == text.size();
    size_t num_digits = 4;
    while (is_last && num_digits > 2 && text[i + num_digits - 1] == '=') --num_digits;
    uint32_t group = 0;
    for (size_t j = 0; j < 4; ++j) {
      const int value = j < num_digits ? values[static_cast<unsigned char>(text[i + j])] : 0;
      if (value < 0) return InvalidArgument("a character that base64 does not have");
      group = group << 6U | static_cast<uint32_t>(value);
    }
    const uint32_t unused = num_digits == 4 ? 0U : (num_digits == 3 ? 0xFFU : 0xFFFFU);
    if ((group & unused) != 0) return InvalidArgument("base64 text with bits beyond its end");
    for (size_t j = 0; j + 1 < num_digits; ++j) {
      bytes += static_cast<char>(group >> (16U - 8U * static_cast<uint32_t>(j)) & 0xFFU);
    }
  }
  return bytes;
}

}  // namespace voxbit
