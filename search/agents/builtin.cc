// Expands builtin.def twice: declarations, then registrations.
#include "search/agents/agents.h"

namespace voxbit::rl {

#define VOXBIT_AGENT(name, make, help) search::AlgorithmKind make();
#include "search/agents/builtin.def"
#undef VOXBIT_AGENT

void RegisterBuiltins(search::AlgorithmRegistry& registry) {
#define VOXBIT_AGENT(name, make, help) registry.Add(name, make(), help);
#include "search/agents/builtin.def"
#undef VOXBIT_AGENT
}

}  // namespace voxbit::rl
