// Cost of a sub-network from its layer table and the workload. No measurement takes part.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/registry.h"
#include "search/space/layer_table.h"

namespace voxbit::cost {

// Pure; thread-safe. Never falls when a layer is widened or added or given more bits (of those that
// its dimension has: supernet/models/quantized_spec.h), never negative.
// Conventions: one multiply-accumulate counts once; batch norm, activations, voxelisation and
// interpolation are not counted. Source: reference figures of Tang et al., ECCV 2020.
class CostModel {
 public:
  virtual ~CostModel() = default;
  // NOT_FOUND when the workload lacks a key that a layer names.
  virtual Result<double> Cost(const search::LayerTable& layers,
                              const search::Workload& workload) const = 0;
  // False when the cost can be computed before a dataset was profiled.
  virtual bool NeedsWorkload() const = 0;
};

// Multiply-accumulates of one layer. NOT_FOUND when the workload lacks its key.
Result<double> MacsOf(const search::LayerSpec& layer, const search::Workload& workload);

using CostModelRegistry = Registry<std::function<std::unique_ptr<CostModel>()>>;
// Adds every model of builtin.def, under the metric that it computes.
void RegisterBuiltins(CostModelRegistry& registry);

}  // namespace voxbit::cost
