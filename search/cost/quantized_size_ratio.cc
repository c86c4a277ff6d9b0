// Bits of the weights whose bits are chosen, over those of the largest candidate at 32 bits: the
// preserve ratio of HAQ, which counts neither codebooks nor what is not quantized. The largest
// candidate, and not the one at hand, is what it is compared with: a mean of bits would fall when a
// layer of few bits grows, and no budget of it would bound a size.
#include "search/cost/cost_model.h"

namespace voxbit::cost {
namespace {

class QuantizedSizeRatioModel final : public CostModel {
 public:
  // 1 where no bits are chosen, 0 of no layers.
  Result<double> Cost(const search::LayerTable& layers,
                      const search::Workload& /*workload*/) const override {
    int64_t bits = 0;
    int64_t largest = 0;
    for (const search::LayerSpec& layer : layers) {
      if (layer.chooses_weight_bits) bits += layer.WeightCount() * layer.weight_bits;
      largest = layer.largest_chosen_weights;
    }
    if (largest == 0) return layers.empty() ? 0.0 : 1.0;
    return static_cast<double>(bits) / (32 * static_cast<double>(largest));
  }

  bool NeedsWorkload() const override { return false; }
};

}  // namespace

std::unique_ptr<CostModel> MakeQuantizedSizeRatio() {
  return std::make_unique<QuantizedSizeRatioModel>();
}

}  // namespace voxbit::cost
