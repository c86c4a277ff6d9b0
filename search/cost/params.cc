// Trainable values: weights, biases and the affine part of batch norms.
#include "search/cost/cost_model.h"

namespace voxbit::cost {
namespace {

class ParamsModel final : public CostModel {
 public:
  Result<double> Cost(const search::LayerTable& layers,
                      const search::Workload& /*workload*/) const override {
    int64_t total = 0;
    for (const search::LayerSpec& layer : layers) total += layer.ParameterCount();
    return static_cast<double>(total);
  }

  bool NeedsWorkload() const override { return false; }
};

}  // namespace

std::unique_ptr<CostModel> MakeParams() { return std::make_unique<ParamsModel>(); }

}  // namespace voxbit::cost
