// Text from outside (peers, files, command lines) on its way to a terminal or a log.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace voxbit {

struct Character {
  char32_t code = 0;     // U+FFFD for a byte that is not UTF-8
  size_t bytes = 1;      // that it takes
  bool is_valid = true;  // UTF-8
};

// The first character of `text`. Requires: not empty.
Character FirstCharacter(std::string_view text);

// `text` with everything visible that could forge a line, steer a terminal or turn the direction of
// what follows: control characters (C0, DEL, C1), line and paragraph separators, marks of
// direction, bytes that are not UTF-8. They are written as \n, \t, \r, \x1b, \u202e.
std::string Printable(std::string_view text);
// The same but for line breaks and tabs, which stay: for text of several lines.
std::string PrintableLines(std::string_view text);

// JSON text in which what Printable would escape is written as \u009b: the same document.
std::string PrintableJson(std::string_view json);

// INVALID_ARGUMENT unless `name` is 1 to 100 bytes of UTF-8 without a space at either end: what
// workers, targets and the like may be called. Show it by Printable. `what` begins the message: "a
// worker's name".
Status CheckName(std::string_view what, std::string_view name);

// INVALID_ARGUMENT naming the first argument of a command line (without the program) that is not
// UTF-8.
Status CheckArguments(const std::vector<std::string>& arguments);

}  // namespace voxbit
