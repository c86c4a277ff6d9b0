// Addresses of servers as people write them.
#pragma once

#include <string_view>

#include "common/status.h"

namespace voxbit {

// OK for HOST:PORT with a port from `min_port` to 65535: "127.0.0.1:50051", "[::1]:50051".
// INVALID_ARGUMENT says what is wrong with `text` and what would be right; the caller says where
// it stands.
Status CheckHostPort(std::string_view text, int min_port);

}  // namespace voxbit
