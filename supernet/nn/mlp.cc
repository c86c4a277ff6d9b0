#include "supernet/nn/mlp.h"

#include <torch/torch.h>

#include <string>

#include "common/check.h"
#include "supernet/nn/module_tree.h"

namespace voxbit::supernet {

Mlp::Mlp(const std::vector<int64_t>& widths) {
  VOXBIT_CHECK(widths.size() >= 2, "a sequence of no layers");
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    // A place for each ReLU keeps the numbers of all modules those of the official network.
    if (i > 0) AddModule<ModuleGroup>(*this, std::to_string(2 * i - 1));
    layers_.push_back(
        AddModule<ElasticLinear>(*this, std::to_string(2 * i), widths[i], widths[i + 1]));
  }
}

at::Tensor Mlp::Forward(const at::Tensor& x) const {
  at::Tensor y = layers_.front()->Forward(x);
  for (size_t i = 1; i < layers_.size(); ++i) y = layers_[i]->Forward(y.relu());
  return y;
}

at::Tensor Mlp::Forward(const at::Tensor& x, int64_t width) const {
  at::Tensor y = layers_.front()->Forward(x, width);
  for (size_t i = 1; i < layers_.size(); ++i) y = layers_[i]->Forward(y.relu(), width);
  return y;
}

}  // namespace voxbit::supernet
