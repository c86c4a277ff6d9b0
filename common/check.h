// Assertions for broken invariants. Expected failures are a Status instead.
#pragma once

#include <string_view>

namespace voxbit {

// Prints file, line, condition and message to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              std::string_view message);

}  // namespace voxbit

// Always on. The message is evaluated only on failure.
#define VOXBIT_CHECK(condition, message)                                                \
  do {                                                                                  \
    if (!(condition)) ::voxbit::CheckFailed(__FILE__, __LINE__, #condition, (message)); \
  } while (false)
