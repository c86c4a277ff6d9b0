// Multiply-accumulates of one average sample: workload count x input channels x output channels
// of every layer. The count is the number of kernel-map pairs of a sparse convolution, of voxels
// for a 1^3 convolution, of points, or of neighbours of points, for a linear layer on those. What
// has no weights is not counted: interpolation, and products of queries with keys and values.
#include "search/cost/cost_model.h"

namespace voxbit::cost {
namespace {

class MacsModel final : public CostModel {
 public:
  Result<double> Cost(const search::LayerTable& layers,
                      const search::Workload& workload) const override {
    double total = 0;
    for (const search::LayerSpec& layer : layers) {
      VOXBIT_ASSIGN_OR_RETURN(const double macs, MacsOf(layer, workload));
      total += macs;
    }
    return total;
  }

  bool NeedsWorkload() const override { return true; }
};

}  // namespace

Result<double> MacsOf(const search::LayerSpec& layer, const search::Workload& workload) {
  const auto count = workload.counts.find(layer.workload);
  if (count == workload.counts.end()) {
    return NotFound("layer " + layer.name + " needs the workload \"" + layer.workload +
                    "\", which the profile of the dataset does not have");
  }
  return count->second * static_cast<double>(layer.in_channels) *
         static_cast<double>(layer.out_channels);
}

std::unique_ptr<CostModel> MakeMacs() { return std::make_unique<MacsModel>(); }

}  // namespace voxbit::cost
