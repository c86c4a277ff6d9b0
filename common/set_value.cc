#include "common/set_value.h"

#include "common/address.h"

namespace voxbit {

Result<Json> ParseSetValue(const std::string& text) {
  Result<Json> value = ParseJson(text);
  const bool is_structured = text.starts_with('{') || text.starts_with('[');
  const bool is_address = CheckHostPort(text, /*min_port=*/0).ok();  // an IPv6 one has brackets
  if (value.ok() || (is_structured && !is_address)) return value;
  return Json(text);
}

}  // namespace voxbit
