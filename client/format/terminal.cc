#include "client/format/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>

namespace voxbit::client {
namespace {

// Narrower than this no table can be read.
constexpr size_t kMinWidth = 20;
constexpr size_t kMaxWidth = 1000;

size_t WidthOf(int descriptor) {
  winsize size{};
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): the only way to ask
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace

Terminal DetectTerminal(const Environment& environment) {
  Terminal terminal;
  terminal.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  terminal.err_is_terminal = ::isatty(STDERR_FILENO) == 1;
  const bool allowed = environment("NO_COLOR").empty() && environment("TERM") != "dumb";
  terminal.color = terminal.out_is_terminal && allowed;
  terminal.err_color = terminal.err_is_terminal && allowed;

  const std::string columns = environment("COLUMNS");
  size_t width = 0;
  std::from_chars(columns.data(), columns.data() + columns.size(), width);
  if (width == 0 && terminal.out_is_terminal) width = WidthOf(STDOUT_FILENO);
  if (width == 0 && terminal.err_is_terminal && terminal.out_is_terminal) {
    width = WidthOf(STDERR_FILENO);
  }
  if (width >= kMinWidth && width <= kMaxWidth) terminal.width = width;
  return terminal;
}

}  // namespace voxbit::client
