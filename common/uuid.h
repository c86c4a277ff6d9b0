// Random identifiers for requests, sessions and workers.
#pragma once

#include <string>

namespace voxbit {

// A version-4 UUID, 36 characters. Not for anything that must be reproducible.
std::string NewUuid();

}  // namespace voxbit
