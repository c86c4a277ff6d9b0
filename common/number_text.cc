#include "common/number_text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>

#include "common/json.h"

namespace voxbit {

std::string NumberText(double value) {
  std::string text = CanonicalJson(value);
  const size_t point = text.rfind(".0");
  if (point != std::string::npos && point + 2 == text.size()) text.resize(point);
  return text;
}

std::string NumberText(float value) {
  if (!std::isfinite(value)) return NumberText(static_cast<double>(value));
  // As a double, 0.1F has sixteen digits.
  char digits[32];
  const auto written = std::to_chars(std::begin(digits), std::end(digits) - 1, value);
  *written.ptr = '\0';
  return NumberText(std::strtod(digits, nullptr));
}

std::string Counted(int64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace voxbit
