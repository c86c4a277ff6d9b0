// The algorithms that need torch.
#pragma once

#include "search/algorithm/algorithm.h"

namespace voxbit::rl {

// Adds every algorithm of builtin.def.
void RegisterBuiltins(search::AlgorithmRegistry& registry);

// For programs whose cores have other work than agents: torch and the BLAS below it compute on the
// calling thread alone. Equal seeds then give equal agents whatever the number of cores. Call it
// before the first agent is made.
void UseOneThread();

}  // namespace voxbit::rl
