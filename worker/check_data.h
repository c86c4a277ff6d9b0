// search-worker check: reads a dataset as a whole before hours are spent on it.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "common/status.h"

namespace voxbit::worker {

struct CheckFlags {
  std::string dataset;           // a file, or JSON
  int64_t threads = 0;           // 0: all cores that the process may use
  std::string output = "table";  // or "json"
};

// Prints what is in the dataset and every fault of it to standard output; progress goes to standard
// error where that is a terminal. Whether there is no fault. INVALID_ARGUMENT for settings that are
// wrong and a root that is not there; CANCELLED once `stop` is raised.
Result<bool> CheckData(const CheckFlags& flags, const std::stop_token& stop);

}  // namespace voxbit::worker
