// Expands builtin.def twice: declarations, then registrations.
#include "search/cost/cost_model.h"

namespace voxbit::cost {

#define VOXBIT_COST_MODEL(metric, factory, help) std::unique_ptr<CostModel> factory();
#include "search/cost/builtin.def"
#undef VOXBIT_COST_MODEL

void RegisterBuiltins(CostModelRegistry& registry) {
#define VOXBIT_COST_MODEL(metric, factory, help) registry.Add(metric, &(factory), help);
#include "search/cost/builtin.def"
#undef VOXBIT_COST_MODEL
}

}  // namespace voxbit::cost
