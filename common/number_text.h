// Numbers in messages, as people write them.
#pragma once

#include <cstdint>
#include <string>

namespace voxbit {

// The shortest text that reads back as the same number, without a fraction that says nothing: 99,
// not 99.0.
std::string NumberText(double value);
std::string NumberText(float value);

// "1 point", "2 points". `noun` takes an s where there are more.
std::string Counted(int64_t count, const std::string& noun);
inline std::string Counted(size_t count, const std::string& noun) {
  return Counted(static_cast<int64_t>(count), noun);
}

}  // namespace voxbit
