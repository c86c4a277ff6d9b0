// What JSON says of files: their paths, and the JSON of one file inside that of another.
#pragma once

#include <cstdint>
#include <string>

#include "common/json.h"
#include "common/status.h"

namespace voxbit {

// Where `value`, found at `pointer`, is a text, the JSON in the regular file of that name takes its
// place; a relative name is taken from the working directory. Any other value stays.
// INVALID_ARGUMENT names pointer and file when there is none, it has more than `max_bytes`, or it
// is not JSON.
Status InlineJsonFile(const std::string& pointer, uintmax_t max_bytes, Json& value);

// A relative path in `value` is taken from the working directory of this process: those who get it
// have working directories of their own. True when `value` was changed; one that is no text, empty
// or absolute stays.
bool MakePathAbsolute(Json& value);

}  // namespace voxbit
