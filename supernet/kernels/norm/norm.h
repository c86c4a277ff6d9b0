// Batch normalisation over rows, fused with the residual sum and the ReLU that follow it.
#pragma once

#include <cstdint>

#include "supernet/kernels/isa.h"

namespace voxbit::kernels {

// Rows of x and y have `channels` float32 values, contiguous. Calls own rows [begin, end).
struct NormKernels {
  // Sums of a block of rows, for each channel: mean[c] of the block and squares[c] = sum of
  // (x - mean)^2. Blocks are merged in double by MergeMoments.
  void (*moments)(const float* x, int64_t channels, int64_t begin, int64_t end, float* mean,
                  float* squares);
  // y = act(x * scale[c] + shift[c] + residual), act = max(0, .) when `relu`; residual may be null.
  void (*apply)(const float* x, const float* scale, const float* shift, const float* residual,
                bool relu, int64_t channels, int64_t begin, int64_t end, float* y);
  // g = relu ? (y > 0 ? dy : 0) : dy, stored to `masked` unless null; adds to sum[c] the g and to
  // dot[c] the g * (x - mean[c]) of the rows, both float32.
  void (*backward_sums)(const float* dy, const float* y, const float* x, const float* mean,
                        bool relu, int64_t channels, int64_t begin, int64_t end, float* masked,
                        float* sum, float* dot);
  // dx = a[c] * g + b[c] * x + d[c].
  void (*backward_apply)(const float* g, const float* x, const float* a, const float* b,
                         const float* d, int64_t channels, int64_t begin, int64_t end, float* dx);
};

// Requires: IsaAvailable(isa).
const NormKernels& NormKernelsFor(Isa isa);

// Merges the moments of two groups of rows into the first (Chan, Golub and LeVeque, 1979).
//   mean, squares [channels] float64 of `count` rows; the other group float32 of `other_count`
void MergeMoments(int64_t channels, int64_t count, double* mean, double* squares,
                  int64_t other_count, const float* other_mean, const float* other_squares);

}  // namespace voxbit::kernels
