#include "common/address.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>

namespace voxbit {
namespace {

constexpr int kMaxPort = 65'535;

// What `text` has in place of an address; "" for a good one.
std::string WhatIsWrong(std::string_view text, int min_port) {
  if (text.empty()) return "nothing is given";
  if (const size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    return "leave \"" + std::string(text.substr(0, scheme + 3)) + "\" out";
  }
  const auto is_outlaw = [](unsigned char c) {
    return c <= ' ' || c == 127 || c == '/' || c == '@' || c == '?' || c == '#' || c == ',';
  };
  if (std::any_of(text.begin(), text.end(), is_outlaw)) return "no host has such a name";
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return "the port is missing";
  std::string_view host = text.substr(0, colon);
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) host = host.substr(1, host.size() - 2);
  if (text.back() == ']') return "the port is missing";
  if (host.empty()) return "the host is missing";
  if (!in_brackets && host.find(':') != std::string_view::npos) {
    return "an IPv6 address stands in brackets, as in [::1]:50051";
  }
  if (host.find_first_of("[]") != std::string_view::npos) return "its brackets do not match";
  const std::string_view port = text.substr(colon + 1);
  if (port.empty()) return "the port is missing";
  int number = 0;
  const char* const end = port.data() + port.size();
  const auto [rest, error] = std::from_chars(port.data(), end, number);
  const bool is_number = error == std::errc() && rest == end;
  if (is_number && number >= min_port && number <= kMaxPort) return "";
  return "\"" + std::string(port) + "\" is no port";
}

}  // namespace

Status CheckHostPort(std::string_view text, int min_port) {
  const std::string wrong = WhatIsWrong(text, min_port);
  if (wrong.empty()) return OkStatus();
  return InvalidArgument("expected HOST:PORT with a port from " + std::to_string(min_port) +
                         " to " + std::to_string(kMaxPort) + ", as in 127.0.0.1:50051, found \"" +
                         std::string(text) + "\": " + wrong);
}

}  // namespace voxbit
