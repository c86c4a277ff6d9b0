// How many files a process may have open.
#pragma once

#include <cstdint>

namespace voxbit {

// Raises the limit of this process, and of those that it starts, to the highest that it may set
// itself; a connection is a file, too. Returns the limit that holds now.
int64_t RaiseFileLimit();

}  // namespace voxbit
