// Expands builtin.def twice: declarations, then registrations.
#include "search/agents/agents.h"

namespace voxbit::rl {

#define VOXBIT_AGENT(name, factory, help) \
  std::unique_ptr<search::Algorithm> factory(const search::AlgorithmContext& context);
#include "search/agents/builtin.def"
#undef VOXBIT_AGENT

void RegisterBuiltins(search::AlgorithmRegistry& registry) {
#define VOXBIT_AGENT(name, factory, help) registry.Add(name, &(factory), help);
#include "search/agents/builtin.def"
#undef VOXBIT_AGENT
}

}  // namespace voxbit::rl
