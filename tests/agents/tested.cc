// This program tests the algorithms that need torch.
#include "search/agents/agents.h"
#include "tests/search/harness.h"

namespace voxbit::search {

void RegisterTested(AlgorithmRegistry& registry) { rl::RegisterBuiltins(registry); }

}  // namespace voxbit::search
