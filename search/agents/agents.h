// The algorithms that need torch.
#pragma once

#include "search/algorithm/algorithm.h"

namespace voxbit::rl {

// Adds every algorithm of builtin.def.
void RegisterBuiltins(search::AlgorithmRegistry& registry);

}  // namespace voxbit::rl
