// Addresses of servers as people write them.
#pragma once

#include <string_view>

namespace voxbit {

// True for HOST:PORT with a port from `min_port` to 65535: "127.0.0.1:50051", "[::1]:50051".
bool IsHostPort(std::string_view text, int min_port);

}  // namespace voxbit
