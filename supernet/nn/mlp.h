// A sequence of linear layers with ReLUs between them.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "supernet/nn/elastic.h"

namespace voxbit::supernet {

// Linear layers from widths[i] to widths[i + 1]. State: "0.weight", "0.bias", "2.weight", ...: the
// ReLUs have numbers as well, as in torch.nn.Sequential.
class Mlp : public torch::nn::Module {
 public:
  // Requires: at least two widths.
  explicit Mlp(const std::vector<int64_t>& widths);

  // [..., widths.back()] from x [..., widths.front()]; no activation behind the last layer.
  at::Tensor Forward(const at::Tensor& x) const;
  // [..., width]: the first `width` channels of every layer.
  at::Tensor Forward(const at::Tensor& x, int64_t width) const;

 private:
  std::vector<std::shared_ptr<ElasticLinear>> layers_;
};

}  // namespace voxbit::supernet
