#include "client/format/terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <map>

namespace voxbit::client {
namespace {

Environment Fixed(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  };
}

// Standard error on a terminal of its own.
class ErrorTerminal {
 public:
  explicit ErrorTerminal(uint16_t columns)
      : saved_(::dup(STDERR_FILENO)), master_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    EXPECT_EQ(::grantpt(master_), 0);
    EXPECT_EQ(::unlockpt(master_), 0);
    std::array<char, 64> name{};
    EXPECT_EQ(::ptsname_r(master_, name.data(), name.size()), 0);
    const int slave = ::open(name.data(), O_RDWR | O_NOCTTY);
    const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(::ioctl(slave, TIOCSWINSZ, &size), 0);
    ::dup2(slave, STDERR_FILENO);
    ::close(slave);
  }
  ErrorTerminal(const ErrorTerminal&) = delete;
  ErrorTerminal& operator=(const ErrorTerminal&) = delete;
  ~ErrorTerminal() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    ::close(master_);
  }

 private:
  int saved_;
  int master_;
};

TEST(TerminalTest, ColumnsDecidesTheWidth) {
  const Terminal terminal = DetectTerminal(Fixed({{"COLUMNS", "132"}}));
  EXPECT_EQ(terminal.width, 132U);
  EXPECT_EQ(terminal.err_width, 132U);
}

TEST(TerminalTest, StandardErrorHasAWidthOfItsOwn) {
  Terminal terminal;
  {
    const ErrorTerminal error_terminal(123);
    terminal = DetectTerminal(Fixed({}));
  }
  EXPECT_TRUE(terminal.err_is_terminal);
  EXPECT_EQ(terminal.err_width, 123U);
}

TEST(TerminalTest, NonsenseInColumnsIsIgnored) {
  for (const char* value : {"wide", "-4", "3", "99999999"}) {
    const Terminal terminal = DetectTerminal(Fixed({{"COLUMNS", value}}));
    EXPECT_GE(terminal.width, 20U) << value;
    EXPECT_LE(terminal.width, 1000U) << value;
  }
}

TEST(TerminalTest, NoColorTurnsColoursOff) {
  const Terminal terminal = DetectTerminal(Fixed({{"NO_COLOR", "1"}, {"TERM", "xterm"}}));
  EXPECT_FALSE(terminal.color);
  EXPECT_FALSE(terminal.err_color);
}

}  // namespace
}  // namespace voxbit::client
