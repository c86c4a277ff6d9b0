// JSON of one file inside that of another.
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

}  // namespace voxbit
