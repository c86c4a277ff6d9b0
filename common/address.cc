#include "common/address.h"

#include <charconv>
#include <system_error>

namespace voxbit {

bool IsHostPort(std::string_view text, int min_port) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const char* const end = text.data() + text.size();
  int port = 0;
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
  return error == std::errc() && rest == end && port >= min_port && port <= 65'535;
}

}  // namespace voxbit
