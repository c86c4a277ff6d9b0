#include "client/format/terminal.h"

#include <gtest/gtest.h>

#include <map>

namespace voxbit::client {
namespace {

Environment Fixed(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  };
}

TEST(TerminalTest, ColumnsDecidesTheWidth) {
  EXPECT_EQ(DetectTerminal(Fixed({{"COLUMNS", "132"}})).width, 132U);
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
