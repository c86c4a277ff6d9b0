// Expands builtin.def twice: declarations, then registrations.
#include "search/algorithm/algorithm.h"

namespace voxbit::search {

// A declared name cannot stand in parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define VOXBIT_ALGORITHM(name, factory, help) \
  std::unique_ptr<Algorithm> factory(const AlgorithmContext& context);
// NOLINTEND(bugprone-macro-parentheses)
#include "search/algorithm/builtin.def"
#undef VOXBIT_ALGORITHM

void RegisterBuiltins(AlgorithmRegistry& registry) {
#define VOXBIT_ALGORITHM(name, factory, help) registry.Add(name, &(factory), help);
#include "search/algorithm/builtin.def"
#undef VOXBIT_ALGORITHM
}

}  // namespace voxbit::search
