// What the standard streams are connected to.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "common/clock.h"

namespace voxbit::client {

// Value of an environment variable; "" where it is not set.
using Environment = std::function<std::string(const std::string& name)>;

struct Terminal {
  bool in_is_terminal = false;
  int in_descriptor = -1;  // of standard input; -1: its text is there already
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool color = false;      // of standard output
  bool err_color = false;  // of standard error
  size_t width = 80;       // columns of standard output
  size_t err_width = 80;   // columns of standard error
};

// COLUMNS wins over the size of the terminal; 80 where there is neither. Colours need a terminal
// that is not "dumb", and no NO_COLOR (no-color.org).
Terminal DetectTerminal(const Environment& environment);

// Waits that long for standard input; true when there is some, or its end.
bool WaitForInput(const Terminal& terminal, Milliseconds span);

}  // namespace voxbit::client
