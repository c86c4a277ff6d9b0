// This program tests the algorithms that need torch, on toy spaces with bit-widths.
#include "search/agents/agents.h"
#include "tests/search/harness.h"

namespace voxbit::search {

Tested WhatIsTested() { return {&rl::RegisterBuiltins, {2, 4, 8}}; }

}  // namespace voxbit::search
