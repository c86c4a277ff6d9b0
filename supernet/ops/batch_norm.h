// Batch normalisation over rows, with the residual sum and the ReLU behind it in the same pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace voxbit::supernet {

// Per-channel mean and biased variance over the rows of a batch.
struct BatchMoments {
  at::Tensor mean;      // [C] float32
  at::Tensor variance;  // [C] float32
  int64_t count = 0;
};

// Moments of x [N,C], N > 0. No gradient.
BatchMoments ColumnMoments(const at::Tensor& x);

struct NormOptions {
  double eps = 1e-5;
  bool relu = false;
  // The moments are those of x itself, so that gradients flow through them as well.
  bool batch_statistics = false;
};

// act((x - mean) / sqrt(variance + eps) * weight + bias + residual).
//   x [N,C]; residual [N,C] or undefined
//   weight, bias [Cmax >= C]: the first C entries are used, gradients are zero beyond them
// Gradients for x, residual, weight and bias.
at::Tensor NormalizeRows(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& weight,
                         const at::Tensor& bias, const BatchMoments& moments,
                         const NormOptions& options);

}  // namespace voxbit::supernet
