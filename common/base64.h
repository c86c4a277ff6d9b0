// Base64 of RFC 4648 with padding: bytes inside of text.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace voxbit {

std::string EncodeBase64(std::string_view bytes);
// INVALID_ARGUMENT for anything that EncodeBase64 would not write.
Result<std::string> DecodeBase64(std::string_view text);

}  // namespace voxbit
