// Memory for time: a part of a network whose activations are not kept for the backward pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace voxbit::supernet {

using TensorFunction = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

// body(inputs), of which only the inputs are kept: the backward pass runs `body` again. Gradients
// flow to `inputs`; those of parameters that `body` reads by itself are added to their grad()
// during the backward pass, so that torch::autograd::grad() does not see them.
// Requires: `body` is deterministic, may run twice (no batch norm in train mode, no dropout; ranges
// that it takes anew from its inputs come out the same) and owns what it reads; at least one of the
// inputs requires a gradient when a parameter of it does.
// Source: Chen et al. (2016), Training Deep Nets with Sublinear Memory Cost.
at::Tensor Recomputed(const TensorFunction& body, const std::vector<at::Tensor>& inputs);

}  // namespace voxbit::supernet
