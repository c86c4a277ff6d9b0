// Expands builtin.def twice: declarations, then registrations.
#include "search/algorithm/algorithm.h"

namespace voxbit::search {

#define VOXBIT_ALGORITHM(name, factory, help) \
  std::unique_ptr<Algorithm> factory(const AlgorithmContext& context);
#include "search/algorithm/builtin.def"
#undef VOXBIT_ALGORITHM

void RegisterBuiltins(AlgorithmRegistry& registry) {
#define VOXBIT_ALGORITHM(name, factory, help) registry.Add(name, &(factory), help);
#include "search/algorithm/builtin.def"
#undef VOXBIT_ALGORITHM
}

}  // namespace voxbit::search
