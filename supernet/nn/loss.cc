#include "supernet/nn/loss.h"

#include <torch/torch.h>

#include <algorithm>

namespace voxbit::supernet {

at::Tensor CrossEntropy(const at::Tensor& logits, const at::Tensor& target,
                        const CrossEntropyOptions& options) {
  const auto classes = static_cast<double>(logits.size(1));
  // What torch spreads over all C classes leaves this much with the target.
  const double over_all = options.smoothing * classes / std::max(1.0, classes - 1);
  return at::cross_entropy_loss(logits, target, options.class_weights, at::Reduction::Mean,
                                options.ignored, over_all);
}

}  // namespace voxbit::supernet
