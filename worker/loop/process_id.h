// Which process this is, in words that another process can check.
#pragma once

#include <string>

namespace voxbit::worker {

enum class Life {
  kAlive,
  kEnded,
  kUnknown,  // it is of another machine, boot or container
};

// Names this process: boot and process namespace of the machine, number and start of the process.
// No other process, also none after it, has the same name.
std::string ThisProcess();

// Whether the process that called itself `instance` lives. A zombie has ended.
Life LifeOf(const std::string& instance);

}  // namespace voxbit::worker
