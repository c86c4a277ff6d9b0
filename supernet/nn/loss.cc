#include "supernet/nn/loss.h"

#include <torch/torch.h>

namespace voxbit::supernet {

at::Tensor SmoothedCrossEntropy(const at::Tensor& logits, const at::Tensor& target,
                                double smoothing) {
  const double others = smoothing / static_cast<double>(logits.size(1) - 1);
  const at::Tensor log_probability = at::log_softmax(logits, 1);
  const at::Tensor of_target = log_probability.gather(1, target.unsqueeze(1)).squeeze(1);
  return -((1.0 - smoothing - others) * of_target + others * log_probability.sum(1)).mean();
}

}  // namespace voxbit::supernet
