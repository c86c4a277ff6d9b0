// The table of dataset kinds, from builtin.def.
#include "worker/data/dataset.h"

namespace voxbit::data {

#define VOXBIT_DATASET(name, make, help) DatasetKind make();
#include "worker/data/builtin.def"
#undef VOXBIT_DATASET

void RegisterBuiltins(DatasetRegistry& registry) {
#define VOXBIT_DATASET(name, make, help) registry.Add(name, make(), help);
#include "worker/data/builtin.def"
#undef VOXBIT_DATASET
}

DatasetRegistry BuiltinDatasets() {
  DatasetRegistry registry("dataset");
  RegisterBuiltins(registry);
  return registry;
}

}  // namespace voxbit::data
