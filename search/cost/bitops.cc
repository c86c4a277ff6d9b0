// Multiply-accumulates of one average sample, each counted as bits of the weight x bits of the
// input; a float has 32. Source: the bit-serial hardware of HAQ (Wang et al., CVPR 2019), whose
// time for a product is proportional to this.
#include "search/cost/cost_model.h"

namespace voxbit::cost {
namespace {

class BitopsModel final : public CostModel {
 public:
  Result<double> Cost(const search::LayerTable& layers,
                      const search::Workload& workload) const override {
    double total = 0;
    for (const search::LayerSpec& layer : layers) {
      VOXBIT_ASSIGN_OR_RETURN(const double macs, MacsOf(layer, workload));
      total += macs * static_cast<double>(layer.weight_bits * layer.activation_bits);
    }
    return total;
  }

  bool NeedsWorkload() const override { return true; }
};

}  // namespace

std::unique_ptr<CostModel> MakeBitops() { return std::make_unique<BitopsModel>(); }

}  // namespace voxbit::cost
