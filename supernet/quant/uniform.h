// Arithmetic that the quantizers with evenly spaced levels share.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "supernet/quant/quantized_tensor.h"

namespace voxbit::quant {

// Evenly spaced levels (k - zero) * scale, k = 0 .. top.
struct Grid {
  at::Tensor scales;  // [1] or [C] float32; 0 is allowed and makes every level 0
  at::Tensor zeros;   // [1] or [C] float32
  int64_t top = 0;
  int64_t bits = 0;
  bool sign = false;  // two levels with nothing between them to round to: the sign decides
};

// A tensor [1] or [C] so that it broadcasts over dimension 0 of `like`.
at::Tensor AlongRows(const at::Tensor& groups, const at::Tensor& like);

// Largest |x| and mean |x| of the whole tensor [1], or of each index of dimension 0 [C] where
// `channels` is not 0. Zeros for an empty tensor. The mean is taken in double, so that the mean of
// equal magnitudes is that magnitude.
at::Tensor LargestMagnitude(const at::Tensor& x, int64_t channels);
at::Tensor MeanMagnitude(const at::Tensor& x, int64_t channels);

// 2^(bits - 1) - 1: levels above zero of a symmetric grid; 0 for one bit.
int64_t SymmetricTop(int64_t bits);

// Levels -range .. range with an exact zero, scale = range / (2^(bits-1) - 1).
// Requires: bits >= 2.
Grid SymmetricGrid(const at::Tensor& range, int64_t bits);
// Levels 0 .. range, scale = range / (2^bits - 1).
Grid UnsignedGrid(const at::Tensor& range, int64_t bits);
// Two levels, -magnitude and magnitude; 0 counts as positive.
Grid SignGrid(const at::Tensor& magnitude);

// Codes of the nearest levels, a tie to the even multiple of the scale; values beyond the grid go
// to its ends. Codes are float32 in the shape of x: QuantizedTensor without the conversion to
// integers, which training does not need. No gradient.
QuantizedTensor ToGrid(const at::Tensor& x, const Grid& grid);

}  // namespace voxbit::quant
