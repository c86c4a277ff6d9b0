// Codebooks whose labels are fixed and whose entries follow the weights.
#pragma once

#include <ATen/core/Tensor.h>

namespace voxbit::quant {

// The mean of the members of each cluster; a cluster without members keeps its entry of `codebook`.
//   x         any shape, float32
//   labels    shape of x, int32, 0 .. K - 1, or -1 for a value of no cluster
//   codebook  [K] float32
// Returns [K] float32, each entry the double-precision mean rounded once, so that the mean of equal
// values is that value. No gradient. Source: mit-han-lab/haq, lib/utils/quantize_utils.py
// (kmeans_update_model). Deviation: there one empty cluster makes the whole layer NaN.
at::Tensor ClusterMeans(const at::Tensor& x, const at::Tensor& labels, const at::Tensor& codebook);

}  // namespace voxbit::quant
