// The loss of training.
#pragma once

#include <ATen/core/Tensor.h>

namespace voxbit::supernet {

struct CrossEntropyOptions {
  // Probability of each target that is spread over the other C - 1 classes; in [0, 0.5]. (The
  // label_smoothing of torch spreads its share over all C.)
  double smoothing = 0;
  at::Tensor class_weights = {};  // [C] float32; undefined: all equal
  int64_t ignored = -100;         // a target that does not count
};

// Mean cross entropy of logits [N,C] against target [N] int64. Gradient for logits.
// Source: PCT_Pytorch util.py (cal_loss), where smoothing is 0.2.
at::Tensor CrossEntropy(const at::Tensor& logits, const at::Tensor& target,
                        const CrossEntropyOptions& options = {});

}  // namespace voxbit::supernet
