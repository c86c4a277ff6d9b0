// The layers of a network that can be given a bit-width, as policies of quantisation number them.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <vector>

namespace voxbit::supernet {

struct QuantizableLayer {
  std::string name;          // module path, as in the state dict
  int64_t module_index = 0;  // position in modules() of the network, which itself is number 0
  at::Tensor weight;         // the parameter, not a copy

  int64_t num_weights() const { return weight.numel(); }
};

// Every linear layer and convolution of `net` with a weight of its own, in registration order:
// 114 for the published Point Transformer. Module indices are the official ones for networks that
// register places for what has no state (Point Transformer).
std::vector<QuantizableLayer> QuantizableLayers(const torch::nn::Module& net);

}  // namespace voxbit::supernet
