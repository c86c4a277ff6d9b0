#include "client/format/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>

namespace voxbit::client {
namespace {

// Narrower than this no table can be read.
constexpr size_t kMinWidth = 20;
constexpr size_t kMaxWidth = 1000;

// 0 where there is no terminal.
size_t WidthOf(int descriptor) {
  winsize size{};
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): the only way to ask
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace

Terminal DetectTerminal(const Environment& environment) {
  Terminal terminal;
  terminal.in_is_terminal = ::isatty(STDIN_FILENO) == 1;
  terminal.in_descriptor = STDIN_FILENO;
  terminal.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  terminal.err_is_terminal = ::isatty(STDERR_FILENO) == 1;
  const bool allowed = environment("NO_COLOR").empty() && environment("TERM") != "dumb";
  terminal.color = terminal.out_is_terminal && allowed;
  terminal.err_color = terminal.err_is_terminal && allowed;

  const std::string columns = environment("COLUMNS");
  size_t asked = 0;
  std::from_chars(columns.data(), columns.data() + columns.size(), asked);
  const auto choose = [asked](int descriptor, size_t& width) {
    const size_t found = asked == 0 ? WidthOf(descriptor) : asked;
    if (found >= kMinWidth && found <= kMaxWidth) width = found;
  };
  choose(STDOUT_FILENO, terminal.width);
  choose(STDERR_FILENO, terminal.err_width);
  return terminal;
}

bool WaitForInput(const Terminal& terminal, Milliseconds span) {
  if (terminal.in_descriptor < 0) return true;
  pollfd input{.fd = terminal.in_descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, static_cast<int>(span.count())) > 0;
}

}  // namespace voxbit::client
