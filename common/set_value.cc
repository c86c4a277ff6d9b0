#include "common/set_value.h"

namespace voxbit {

Result<Json> ParseSetValue(const std::string& text) {
  Result<Json> value = ParseJson(text);
  const bool is_structured = !text.empty() && (text.front() == '{' || text.front() == '[');
  if (value.ok() || is_structured) return value;
  return Json(text);
}

}  // namespace voxbit
