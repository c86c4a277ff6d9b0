// Losses that torch has not in the form of the official recipes.
#pragma once

#include <ATen/core/Tensor.h>

namespace voxbit::supernet {

// Mean cross entropy of logits [N,C] against target [N] int64, with the probability `smoothing` of
// each target spread over the other C - 1 classes. (The label_smoothing of torch spreads it over
// all C.) Requires: C > 1, 0 <= smoothing < 1. Gradient for logits.
// Source: PCT_Pytorch util.py (cal_loss), where smoothing is 0.2.
at::Tensor SmoothedCrossEntropy(const at::Tensor& logits, const at::Tensor& target,
                                double smoothing);

}  // namespace voxbit::supernet
