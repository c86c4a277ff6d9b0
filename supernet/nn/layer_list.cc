#include "supernet/nn/layer_list.h"

#include <torch/torch.h>

#include "supernet/nn/elastic.h"

namespace voxbit::supernet {

std::vector<QuantizableLayer> QuantizableLayers(const torch::nn::Module& net) {
  std::vector<QuantizableLayer> layers;
  int64_t index = 0;
  for (const auto& item : net.named_modules("", /*include_self=*/false)) {
    ++index;
    if (const auto* linear = item.value()->as<ElasticLinear>()) {
      layers.push_back({item.key(), index, linear->weight});
    } else if (const auto* conv = item.value()->as<ElasticConv>()) {
      layers.push_back({item.key(), index, conv->kernel});
    }
  }
  return layers;
}

}  // namespace voxbit::supernet
