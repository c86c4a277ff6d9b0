// This program tests the algorithms without torch.
#include "tests/search/harness.h"

namespace voxbit::search {

void RegisterTested(AlgorithmRegistry& registry) { RegisterBuiltins(registry); }

}  // namespace voxbit::search
