#include "search/space/supernet_spec.h"

namespace voxbit::search {

int64_t SupernetSpec::FewestNormRows(int64_t points) const {
  const std::map<std::string, int64_t> workload = CloudWorkload(points);
  int64_t fewest = 0;
  // The rows of a layer grow with the choices, if they depend on them at all.
  for (const Candidate& candidate : {space().Smallest(), space().Largest()}) {
    for (const LayerSpec& layer : Expand(candidate, /*in_channels=*/3, /*num_classes=*/2)) {
      const auto rows = workload.find(layer.workload);
      if (!layer.batch_norm || rows == workload.end()) continue;
      if (fewest == 0 || rows->second < fewest) fewest = rows->second;
    }
  }
  return fewest;
}

}  // namespace voxbit::search
