// Expands builtin.def twice: declarations, then registrations.
#include "search/algorithm/algorithm.h"

namespace voxbit::search {

#define VOXBIT_ALGORITHM(name, make, help) AlgorithmKind make();
#include "search/algorithm/builtin.def"
#undef VOXBIT_ALGORITHM

void RegisterBuiltins(AlgorithmRegistry& registry) {
#define VOXBIT_ALGORITHM(name, make, help) registry.Add(name, make(), help);
#include "search/algorithm/builtin.def"
#undef VOXBIT_ALGORITHM
}

}  // namespace voxbit::search
