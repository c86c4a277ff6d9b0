// What the system says about the processor.
#pragma once

#include <string>

#include "common/json.h"

namespace voxbit::worker {

// {"mhz", "max_mhz", "governor"}, as far as the system tells, of the first core: what a latency
// was measured at.
Json CpuClockInfo();

}  // namespace voxbit::worker
