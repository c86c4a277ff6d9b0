// The VALUE that follows "--set KEY=" on a command line.
#pragma once

#include <string>

#include "common/json.h"
#include "common/status.h"

namespace voxbit {

// JSON, or text where it is none: 100 is a number, "100" (with the quotes), runs/a and [::1]:50051
// are texts. INVALID_ARGUMENT for what begins as an object or a list and is neither JSON nor an
// address.
Result<Json> ParseSetValue(const std::string& text);

}  // namespace voxbit
