// Bytes of the sub-network as it is stored: every tensor of every layer, packed to whole bytes
// each.
#include "search/cost/cost_model.h"

namespace voxbit::cost {
namespace {

class SizeBytesModel final : public CostModel {
 public:
  Result<double> Cost(const search::LayerTable& layers,
                      const search::Workload& /*workload*/) const override {
    int64_t total = 0;
    for (const search::LayerSpec& layer : layers) total += layer.StoredBytes();
    return static_cast<double>(total);
  }

  bool NeedsWorkload() const override { return false; }
};

}  // namespace

std::unique_ptr<CostModel> MakeSizeBytes() { return std::make_unique<SizeBytesModel>(); }

}  // namespace voxbit::cost
