// What a program prints.
#pragma once

#include <array>
#include <cstdio>
#include <memory>
#include <string>

namespace voxbit::testing {

// The standard output of a command of the shell.
inline std::string OutputOf(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                             ::pclose);
  std::string output;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe.get()) != nullptr) {
    output += buffer.data();
  }
  return output;
}

}  // namespace voxbit::testing
