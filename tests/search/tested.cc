// This program tests the algorithms without torch.
#include "tests/search/harness.h"

namespace voxbit::search {

Tested WhatIsTested() { return {&RegisterBuiltins, {}}; }

}  // namespace voxbit::search
