// JSON as users write it (comments allowed) and as digests need it (canonical).
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/status.h"

namespace voxbit {

using Json = nlohmann::json;

// Deeper text is refused: what walks through a value calls itself for each level.
inline constexpr size_t kMaxJsonDepth = 64;

// Parses JSON with // and /* */ comments. The error names line and column. A key that an object has
// twice is an error too, which names its JSON pointer: one of the values would be lost. So is text
// that is nested more than kMaxJsonDepth levels deep.
Result<Json> ParseJson(std::string_view text);
// ParseJson of a file; the error names the file.
Result<Json> ReadJsonFile(const std::string& path);
// Keys sorted, no white space, shortest number form: equal values give equal text.
std::string CanonicalJson(const Json& value);
// "integer 3", "string \"abc\"", "array of 2": a value as an error message shows it.
std::string Describe(const Json& value);

}  // namespace voxbit
